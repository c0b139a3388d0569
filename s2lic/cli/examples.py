"""The examples at the end of `s2lic COMMAND --help`. The tests run or parse every line."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "encode": (
        ("s2lic encode img.png img.s2lic", "one image; the same as -o img.s2lic"),
        ("s2lic encode img.png -q 80 -o fine.s2lic", "higher quality"),
        ("s2lic encode img.png -o half.s2lic --target-bpp 0.5", "to a size; or --target-size, --target-ssimulacra2"),
        (
            "s2lic encode img.png -o face.s2lic --roi map.png",
            "higher quality where map.png is white",
        ),
        ("s2lic encode img.png -o area.s2lic --roi saliency", "higher quality where the map of bits stands out"),
        ("s2lic encode photos -r --outdir coded -j 2", "a folder, two at a time"),
        ("s2lic encode photos --outdir coded --skip-existing", "resume a stopped run"),
        ("s2lic encode - -o piped.s2lic <img.png", "from a pipe"),
    ),
    "decode": (
        ("s2lic decode img.s2lic", "to img.decoded.png"),
        ("s2lic decode img.s2lic back.jpg -q 90", "to a JPEG of quality 90"),
        ("s2lic decode img.s2lic -o part.png --crop 64,32,100,80", "only this rectangle"),
        ("s2lic decode coded --outdir back --format webp", "a folder"),
        ("s2lic decode img.s2lic -o -", "to a pipe, as PNG"),
    ),
    "transcode": (
        ("s2lic transcode img.s2lic new.s2lic", "with the model of this release"),
        ("s2lic transcode coded -r --outdir renewed", "a folder"),
    ),
    "bulk encode": (
        ("s2lic bulk encode photos s3://bucket/coded -q 60", "a folder to object storage"),
        ("s2lic bulk encode photos shards --to shards --part 500", "files to WebDataset shards"),
        ("s2lic bulk encode s3://bucket/shards coded --psnr --address auto", "shards, on a Ray cluster"),
    ),
    "bulk decode": (
        ("s2lic bulk decode s3://bucket/coded back -j 2", "two processes"),
        ("s2lic bulk decode table back --column s2lic --format webp", "Parquet files"),
    ),
    "info": (
        ("s2lic info img.s2lic", "one file"),
        ("s2lic info coded -r --json", "a folder, for programs"),
    ),
    "explain": (
        ("s2lic explain img.png", "heat map of the pixels that cause bits, in img.explain.png"),
        ("s2lic explain img.png --show salience --plain -o area.png", "salient areas, as a map for encode --roi"),
    ),
    "demo": (
        ("s2lic demo", "a sample photograph"),
        ("s2lic demo img.png --qualities 20,80 --out shown", "your own image"),
    ),
    "models": (
        ("s2lic models", "a table"),
        ("s2lic models --json", "with the cost of each part"),
    ),
    "lab blocks": (
        ("s2lic lab blocks", "a table"),
        ("s2lic lab blocks --json", "for programs"),
    ),
    "lab bench": (
        ("s2lic lab bench", "all masks at stride 8; takes some minutes"),
        ("s2lic lab bench --masks window --ranks 1 --backward", "forward and backward passes"),
        ("s2lic lab bench --masks window,halo --resolutions kodak,uhd --strides 2,4,8", "where windows should win"),
    ),
    "lab mqar": (
        ("s2lic lab mqar", "an attention and convolutions"),
        ("s2lic lab mqar --blocks halo,routing --form sequence --steps 600", "other blocks and a harder task"),
    ),
    "lab place": (
        ("s2lic lab place --data photos", "one eca gate in nano"),
        (
            "s2lic lab place --data photos --gate little_attention --most 2 --steps 100",
            "pairs of gates, trained longer",
        ),
    ),
    "eval": (
        ("s2lic eval kodak --codec s2lic,jpeg,webp,avif --out results", "with other codecs and published figures"),
        ("s2lic eval photos --out results", "your own images, with AVIF and JPEG"),
        ("s2lic eval photos --codec s2lic,jpeg --baseline jpeg -j 2", "two images at a time"),
        ("s2lic eval photos --qualities 0,20,40,60,80,100", "at these qualities"),
        ("s2lic eval photos --model small --model nano", "a curve for each model"),
    ),
    "train": (
        ("s2lic train --data photos --minutes 60 --out run", "start a run"),
        ("s2lic train --resume --out run --minutes 90", "continue it to 90 minutes in total"),
        ("s2lic train --data photos --tune visual --init own.safetensors", "for visual quality"),
        ("s2lic train --data photos --config small --grow nano.safetensors", "a larger model from a smaller one"),
        ("s2lic train --data photos --out run --export own.safetensors", "and write the weights"),
        ("s2lic train --data photos --config small --block swinv2,halo,halo --gate eca", "with other blocks"),
        ("s2lic train --data scans --config small --adapter --init own.safetensors", "only adapters, for scans"),
    ),
    "lab calibrate": (
        ("s2lic lab calibrate own.safetensors --data photos -o act.safetensors", "a model with softmax attention"),
        ("s2lic lab calibrate own.safetensors --data photos -o act.safetensors -q 30", "measured at another quality"),
    ),
    "weights list": (
        ("s2lic weights list", "a table"),
        ("s2lic weights list --json", "with details of their training"),
    ),
    "weights verify": (
        ("s2lic weights verify", "all shipped weights"),
        ("s2lic weights verify own.safetensors", "your own file"),
    ),
    "weights add": (
        ("s2lic weights add own.safetensors", "then files of that model decode without --model"),
        ("s2lic weights add own.safetensors --json", "with the id and the path"),
    ),
    "weights fetch": (
        (
            "s2lic weights fetch 0123456789abcdef --url https://example.org/sets",
            "download the weights of this model",
        ),
        ("s2lic weights fetch 0123456789abcdef", "from the address in S2LIC_WEIGHTS_URL"),
    ),
    "weights export": (
        ("s2lic weights export run/last.pt --data photos -o own.safetensors", "the result of s2lic train --out run"),
        ("s2lic weights export run/last.pt --data photos -o own.safetensors --force", "again, after more training"),
    ),
    "weights fit": (
        ("s2lic weights fit own.safetensors --data photos -o fitted.safetensors", "files become 0.4 to 0.9 % smaller"),
        ("s2lic weights fit own.safetensors --data photos -o fitted.safetensors --crops 100", "a first try"),
    ),
    "bench speed": (
        ("s2lic bench speed img.png --sizes 256,512 --peers none", "your own image"),
        ("s2lic bench speed --out speed", "all cases, with report files"),
    ),
}

EXIT_CODES = """Exit codes: 0 success; 1 an image or a file could not be processed; 2 the command line is wrong.

To complete commands and options with Tab, run: s2lic --install-completion"""


def epilog(command: str) -> str:
    """The examples of a command in columns. The backspace keeps click from joining the lines."""
    rows = EXAMPLES[command]
    width = max(len(line) for line, _ in rows)
    return "Examples:\n\n\b\n" + "\n".join(f"{line:<{width}}  {words}" for line, words in rows)
