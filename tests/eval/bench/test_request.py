"""What a benchmark was asked, and the command that asks the same."""

from __future__ import annotations

from s2lic.eval.bench.request import Request


def test_device_and_batch_are_for_our_codec_alone() -> None:
    request = Request((64,), (1,), ("s2lic-e0", "avif"), device="cuda", batch=16)
    assert [(case.codec, case.device, case.batch) for case in request.cases()] == [
        ("s2lic", "cuda", 16), ("s2lic-e0", "cuda", 16), ("avif", "cpu", 1),
    ]  # fmt: skip
    assert request.cases()[0].label == "s2lic, 16 at once on cuda"


def test_the_command_asks_the_same_and_names_no_weights() -> None:
    usual = Request((256, 512), (1, 2), (), model="/home/me/own.safetensors")
    words = "s2lic bench speed --sizes 256,512 --threads 1,2 --peers none --repeats 3 --limit 90 --minutes 12"
    assert usual.command == words
    assert Request((256, 512), (1, 2), (), device="cuda", batch=16).command == f"{words} --device cuda --batch 16"
