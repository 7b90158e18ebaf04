"""Disclosure control between marts and every export (survey_system.md 10).

spec = Spec(Rules.of_programme(edition.parameters["thresholds"]), park_layout(...))
protected = protect(cells, parts, spec)        # .cells are publishable, .report says why, .exposed must be empty
attacked(protected, spec)                      # what an outsider would still find
"""

from pipelines.methods.disclosure.atoms import Identity, Layout, Term
from pipelines.methods.disclosure.protect import Protected, Spec, attacked, protect, protect_jointly
from pipelines.methods.disclosure.rules import CONSENT_COLUMNS, Rules, consents_in_force, contributions

__all__ = [
    "CONSENT_COLUMNS",
    "Identity",
    "Layout",
    "Protected",
    "Rules",
    "Spec",
    "Term",
    "attacked",
    "consents_in_force",
    "contributions",
    "protect",
    "protect_jointly",
]
