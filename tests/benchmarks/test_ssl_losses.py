"""The contenders of the losses' benchmark compute the same, and it says so where lightly is absent."""

from __future__ import annotations

import pytest
import torch

from benchmarks import ssl_losses
from benchmarks.lightly_losses import lightly, peers

VIEWS = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 4
PROTOTYPES = torch.randn(8, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("name", ssl_losses.USUAL_FORMS)
def test_usual_forms_have_our_values_and_gradients(name: str) -> None:
    ours = ssl_losses._evaluate(ssl_losses.ours(4, PROTOTYPES)[name], VIEWS)
    torch.testing.assert_close(ssl_losses._evaluate(ssl_losses.USUAL_FORMS[name], VIEWS), ours, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ssl_losses.SHAPES)
def test_lightly_has_our_values_and_gradients(name: str) -> None:
    library = lightly()
    if library is None:
        pytest.skip("lightly is not installed")
    # Directions are drawn in the precision of the views by lightly, in single precision by us.
    dtype, tolerance = (torch.float32, 1e-4) if name == "sigreg" else (torch.float64, 1e-7)
    views, prototypes = VIEWS.to(dtype), PROTOTYPES.to(dtype)
    theirs = ssl_losses._evaluate(peers(library, 4, prototypes)[name], views)
    found = ssl_losses._evaluate(ssl_losses.ours(4, prototypes)[name], views)
    torch.testing.assert_close(found, theirs, rtol=tolerance, atol=tolerance)


def test_without_lightly_only_usual_forms_are_compared_and_the_way_to_get_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ssl_losses, "lightly", lambda: None)

    cases = list(ssl_losses.cases("toy"))

    assert [case.baseline for case in cases] == [ssl_losses.USUAL] * 3
    assert "lightly is not installed" in (told := capsys.readouterr().out) and "lightly==1.6.0" in told
