"""`samebits register RUN`: registers a run's model as its config says, and applies the alias's rule again."""

from __future__ import annotations

from samebits.project import find_project_root
from samebits.text import tell
from samebits.tracking.server import connect
from samebits.trust.question import REGISTERED, require_trust
from samebits.verdicts import compute_level


def run_register(reference: str, is_trusted: bool = False, name: str | None = None) -> None:
    """Register a finished run's model where that is not done yet, and apply the rule for the alias again.

    Parameters
    ----------
    is_trusted
        Whether the caller trusts the config of a run that somebody else made: it names model, alias and rule.
    name
        Of the registered model, in place of what the config says; alias and rule are then the usual ones.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, it is not finished, its config registers nothing, or the server does not take it.
    ProvenanceError
        It was made by somebody else, and nobody said that they are trusted.
    """
    client = connect(find_project_root())
    from samebits.holdings.runs import open_recorded_run  # after what MLflow reads as it is imported was set
    from samebits.proof.evidence import collect_evidence
    from samebits.registry.registration import name_model, register_run, require_rule

    with open_recorded_run(client, reference) as recorded:
        lineage = recorded.read_lineage() if name is None else name_model(recorded.read_lineage(), name)
        require_rule(lineage, f"run {recorded.run_id}")
        require_trust(str(lineage["run"].get("run_id")), recorded.lineage_bytes, lineage, [], is_trusted, REGISTERED)
        level = compute_level(collect_evidence(recorded, lineage).evidence)
        said = register_run(client, recorded.run_id, lineage, level)
        tell(f"run    {recorded.run_id}", f"alias  {said or 'not registered: it was made from another run, and stands for nothing'}")
