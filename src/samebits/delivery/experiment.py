"""An experiment's description on its page, and the view of its runs that it leads to; written once, where there is none."""

from __future__ import annotations

from functools import partial
from typing import Any

from samebits.errors import TrackingError
from samebits.lineage.standing import NOTE_TAG
from samebits.parcels.page import EXPERIMENT_ID, EXPERIMENT_NAME, VIEW_TAG
from samebits.text import clean_text
from samebits.tracking.patience import ServerGone
from samebits.tracking.server import explain_failures

_OWN_TAGS = (VIEW_TAG, NOTE_TAG)  # whoever handed a parcel over has no say in any other


def describe_experiment(client: Any, experiment: Any, values: dict[str, Any]) -> None:
    """Describe an experiment that nobody has described; where its server does not take that, it stays without.

    Raises
    ------
    ServerGone
        The server gave no answer.
    """
    wanted = {name: value for name, value in values.get("experiment_tags", {}).items() if name in _OWN_TAGS}
    if NOTE_TAG in experiment.tags or NOTE_TAG not in wanted:
        return
    known = {EXPERIMENT_ID: str(experiment.experiment_id), EXPERIMENT_NAME: clean_text(str(experiment.name)).replace("`", "")}
    note = wanted[NOTE_TAG]
    for place, name in known.items():
        note = note.replace(place, name)
    try:
        for name, value in {**wanted, NOTE_TAG: note}.items():  # the description last: where it is, so are the others
            if name not in experiment.tags:
                explain_failures("describe the experiment", partial(client.set_experiment_tag, experiment.experiment_id, name, value))
    except ServerGone:
        raise
    except TrackingError:
        return
