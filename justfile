# Recipes by group; `uv run just` lists them. Every recipe runs in the locked environment.

export UV_FROZEN := "1"
python_version := "3.11.7"
folder := 'mlserver'

[private]
default:
    @just --list --unsorted

# Look at a table and write a config for it that trains at once: just new data/churn.csv --target churned
[group('run')]
[no-exit-message]
new table *options:
    @uv run python -m samebits new '{{ table }}' {{ options }}

# Say how the steps of a config stand, and what would run: just steps CONF --run
[group('run')]
[no-exit-message]
steps conf='confs/training.yaml' *options:
    @uv run python -m samebits steps '{{ conf }}' {{ options }}

# Train what a config says and record it as one MLflow run
[group('run')]
[no-exit-message]
train conf='confs/training.yaml' *options:
    @uv run python -m samebits train '{{ conf }}' {{ options }}

# Deliver runs that wait in the spool, each exactly once
[group('run')]
[no-exit-message]
push *run:
    @uv run python -m samebits push {{ run }}

# Register a run's model as its config says, and apply the rule for the alias again
[group('run')]
[no-exit-message]
register run='latest' *options:
    @uv run python -m samebits register '{{ run }}' {{ options }}

# List runs that wait in the spool; --close ends on the server those whose process is gone
[group('run')]
[no-exit-message]
status *options:
    @uv run python -m samebits status {{ options }}

# Make a recorded run again from its id alone, and say whether it is the same to the bit
[group('prove')]
[no-exit-message]
reproduce run='latest' *options:
    @uv run python -m samebits reproduce '{{ run }}' {{ options }}

# Say whether what the server and the disk hold of a run is what it recorded
[group('prove')]
[no-exit-message]
verify run='latest' *options:
    @uv run python -m samebits verify '{{ run }}' {{ options }}

# Say what differs between two runs or lineages, the most likely cause first
[group('prove')]
[no-exit-message]
diff left right *options:
    @uv run python -m samebits diff '{{ left }}' '{{ right }}' {{ options }}

# List runs with what they were of and how good they came out
[group('run')]
[no-exit-message]
results *options:
    @uv run python -m samebits results {{ options }}

# Write what a run's model says of each row of a later table
[group('run')]
[no-exit-message]
predict model table *options:
    @uv run python -m samebits predict '{{ model }}' '{{ table }}' {{ options }}

# Say how far a later table has drifted from a run's training rows
[group('run')]
[no-exit-message]
drift model table *options:
    @uv run python -m samebits drift '{{ model }}' '{{ table }}' {{ options }}

# Write a run's page anew, with the proofs gathered since
[group('run')]
[no-exit-message]
report run='latest' *options:
    @uv run python -m samebits report '{{ run }}' {{ options }}

# Print a run's lineage.json
[group('prove')]
[no-exit-message]
lineage run='latest':
    @uv run python -m samebits lineage '{{ run }}'

# Open the MLflow UI on the project's own store
[group('run')]
ui port='5000':
    @echo 'http://127.0.0.1:{{ port }}/#/experiments?workflowType=machine_learning'
    @MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
        uv run mlflow server --backend-store-uri "${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" --workers 1 --port {{ port }}

# Serve a small team: runs and artifacts in one folder, reached through this server alone (docs/server.md)
[group('run')]
serve *options:
    @mkdir -p '{{ folder }}'
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW=60 \
        uv run mlflow server --workers 2 --backend-store-uri 'sqlite:///{{ folder }}/mlflow.db' \
        --artifacts-destination '{{ folder }}/artifacts' {{ options }}

# Write the digest of a config's table into the config
[group('data')]
[no-exit-message]
data-pin conf:
    @uv run python -m samebits data pin '{{ conf }}'

# Keep the configs' tables in the store of SAMEBITS_DATA_STORE
[group('data')]
[no-exit-message]
data-push *confs:
    @uv run python -m samebits data push {{ confs }}

# Bring the configs' pinned tables back from the store
[group('data')]
[no-exit-message]
data-pull *confs:
    @uv run python -m samebits data pull {{ confs }}

# Say of the configs' tables whether they are here, and in the store
[group('data')]
[no-exit-message]
data-status *confs:
    @uv run python -m samebits data status {{ confs }}

# Tables and models both ways between this project and the team's store: only what is missing, nothing overwritten
[group('data')]
[no-exit-message]
sync *confs:
    @uv run python -m samebits data sync {{ confs }}

# The versions of a config's table that runs were trained on
[group('data')]
[no-exit-message]
data-log conf:
    @uv run python -m samebits data log '{{ conf }}'

# What of the store neither a run nor a config names; --delete removes it
[group('data')]
[no-exit-message]
data-gc *options:
    @uv run python -m samebits data gc {{ options }}

# All tests, in random order
[group('check')]
test *options:
    uv run pytest {{ options }}

# Everything that CI runs
[group('check')]
check: static test

# Format, lint, types, lock and schema: all but the tests
[group('check')]
static: format-check lint types lock-check schema-check

[group('check')]
format-check:
    uv run ruff format --check .

[group('check')]
lint:
    uv run ruff check .

[group('check')]
types:
    uv run mypy
    uv run mypy --config-file tests/mypy.ini

# Fail where uv.lock, requirements.txt and python_env.yaml do not say the same
[group('check')]
lock-check:
    UV_FROZEN=0 uv lock --check
    uv export -q --no-dev --no-emit-project | diff - requirements.txt
    just python-env | diff - python_env.yaml

[group('check')]
schema-check:
    uv run python -m samebits schema | diff - confs/config.schema.json

# Format the code and write the generated files again
[group('make')]
format:
    uv run ruff format .
    uv run ruff check --fix .
    uv run python -m samebits schema > confs/config.schema.json
    uv run python packaging/write_reference.py

# Build docs/ to a site in site/
[group('make')]
docs *options:
    @uv run --group docs sphinx-build -q -W --keep-going {{ options }} docs site
    @echo site/index.html

# Write docs/reference again from the code
[group('make')]
docs-reference:
    @uv run python packaging/write_reference.py

# Take the pictures in docs/images again: the sessions, a server, Chromium
[group('make')]
docs-pictures:
    @uv run python packaging/picture_docs.py

# Refresh uv.lock, and from it requirements.txt and python_env.yaml
[group('make')]
lock *options:
    UV_FROZEN=0 uv lock {{ options }}
    uv export -q --no-dev --no-emit-project > requirements.txt
    just python-env > python_env.yaml

[private]
python-env:
    @echo '# Written by `just lock`: what `mlflow run` installs.'
    @echo 'python: "{{ python_version }}"'
    @echo 'dependencies:'
    @echo '  - -r requirements.txt'

# Build the wheel twice, here and in a clean clone under other conditions, and compare them to the bit
[group('make')]
package:
    @uv run python packaging/build_wheel.py

# Time samebits against the plain script a user would write instead
[group('measure')]
bench *options:
    @uv run python benchmarks/bench.py {{ options }}

# Break a run at each of its requests, in each of many ways, and by signals: once lasting signals pushes
[group('measure')]
break *options:
    @uv run python benchmarks/break_runs.py {{ options }}

# Hand in thousands of strange configs, lineages, models and patches
[group('measure')]
fuzz *options:
    @uv run python benchmarks/fuzz.py {{ options }}
