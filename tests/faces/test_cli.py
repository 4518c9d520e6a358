"""The `automl` command: answers, exit codes, JSON, and what it says where the input is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl
from automl.cli import _beside_the_report, cli
from automl.core.discovery import declarations
from automl.core.errors import InputError
from automl.scoring import Scores


def one_sentence(err: str) -> str:
    """The last line of stderr, which must be one sentence of automl's and no traceback."""
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("automl: ")
    return last


def test_help_lists_every_command(command):
    answer = command("--help")
    assert answer.code == 0
    for name in ("compare", "fit", "leaderboard", "models", "predict", "profile", "recommend", "report", "score", "verify"):
        assert name in answer.out


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_explains_itself_and_takes_json(command, name):
    answer = command(name, "--help")
    assert answer.code == 0
    assert "--json" in answer.out


def test_help_speaks_of_every_kind_of_data(command):
    told = " ".join(command("fit", "--help").out.split())
    assert all(modality.name in told for modality in declarations("automl.modalities", "MODALITY"))
    assert "folder of images or sounds" in told
    told = " ".join(command("predict", "--help").out.split())
    assert "folder of files" in told
    assert "empty target" in told


def test_version(command):
    assert command("--version").out.strip() == f"automl {automl.__version__}"


def test_no_arguments_show_the_help_and_are_an_error(command):
    answer = command()
    assert answer.code == 2
    assert "Commands:" in answer.err


# --- a run -----------------------------------------------------------------------------------------------------------


def test_fit_says_the_verdict_and_what_to_do_next(finished):
    lines = finished.stdout.strip().splitlines()
    assert lines[0].split(":")[0] in ("Ready", "Use with care", "Do not use")
    assert lines[-1] == f"next: automl predict {finished.folder} new.csv -o predictions.csv"
    assert str(finished.folder / "report.html") in finished.stdout


def test_fit_shows_a_plain_line_a_stage_where_stderr_is_no_terminal(finished):
    assert "\x1b" not in finished.stderr
    assert "\r" not in finished.stderr
    for stage in ("read", "profile", "search", "judge", "report"):
        assert f"  {stage} " in finished.stderr


def test_predict_writes_rows_in_order_with_ids(finished, command, tmp_path):
    answer = command("predict", finished.folder, finished.data, "-o", tmp_path / "out.csv")
    assert answer.code == 0
    given, written = pd.read_csv(finished.data), pd.read_csv(tmp_path / "out.csv")
    assert list(written.columns) == ["patient", "prediction", "probability_benign", "probability_malignant"]
    assert (written["patient"] == given["patient"]).all()
    assert (written["prediction"] == given["diagnosis"]).mean() > 0.85
    assert np.allclose(written.filter(like="probability").sum(axis=1), 1.0, atol=1e-5)


def test_a_run_folder_and_its_model_folder_predict_the_same(finished, command):
    from_run = command("predict", finished.folder, finished.data, "-o", "-")
    from_model = command("predict", finished.folder / "model", finished.data, "-o", "-")
    assert from_run.out == from_model.out
    assert from_run.code == from_model.code == 0


def test_new_data_lacking_a_column_is_refused_and_nothing_is_written(finished, command, tmp_path):
    pd.read_csv(finished.data).drop(columns="mean_radius").to_csv(tmp_path / "new.csv", index=False)
    answer = command("predict", finished.folder, tmp_path / "new.csv", "-o", tmp_path / "out.csv")
    assert answer.code == 2
    assert "mean_radius" in one_sentence(answer.err)
    assert not (tmp_path / "out.csv").exists()


def test_a_folder_where_a_table_is_wanted_is_refused_with_the_form_that_is(finished, command, tmp_path):
    answer = command("predict", finished.folder, tmp_path, "-o", tmp_path / "out.csv")
    assert answer.code == 2
    assert "is a directory, and this model takes a table; name a CSV" in one_sentence(answer.err)


def test_explain_tells_the_way_to_a_prediction_and_writes_a_page(finished, command, tmp_path):
    page = tmp_path / "why.html"
    answer = command("explain", finished.folder, finished.data, "--row", "3", "--hold", "mean_area", "--html", page)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("row 3: diagnosis = ")
    assert (
        "mean margin of the background rows" in answer.out and "mean_radius = " in answer.out and "held: mean_area" in answer.out
    )
    assert page.read_text().startswith("<!doctype html>")
    before = finished.data.read_bytes()
    assert command("explain", finished.folder, finished.data, "--row", "3", "--html", finished.data).code == 2
    assert finished.data.read_bytes() == before
    assert "choose one with --row" in one_sentence(command("explain", finished.folder, finished.data).err)


def test_score_needs_the_target_and_gives_every_metric(finished, command, tmp_path):
    answer = command("score", finished.folder, finished.data, "--json")
    scores = json.loads(answer.out)
    assert scores["rows"] == 569
    assert scores["values"]["roc_auc"] > 0.9
    assert 0.0 <= scores["values"]["brier"] < 0.2
    for name in ("roc_auc", "brier", "accuracy"):
        low, high = scores["intervals"][name]
        assert low < scores["values"][name] < high or name == "roc_auc"
    assert scores["constant"]["roc_auc"] == 0.5
    share = pd.read_csv(finished.data)["diagnosis"].value_counts(normalize=True)
    assert scores["constant"]["accuracy"] == pytest.approx(share.max())
    assert scores["constant"]["brier"] == pytest.approx(share.prod())
    assert "a constant" in command("score", finished.folder, finished.data).out
    few = tmp_path / "few.csv"
    pd.read_csv(finished.data).iloc[[0, 1, 2, 19, 20]].to_csv(few, index=False)
    answer = command("score", finished.folder, few)
    assert "5 scored rows are too few" in answer.err
    assert "95 % from" in answer.out  # of the accuracy, which so few rows tell too
    assert list(json.loads(command("score", finished.folder, few, "--json").out)["intervals"]) == ["accuracy"]
    pd.read_csv(finished.data).drop(columns="diagnosis").to_csv(tmp_path / "new.csv", index=False)
    answer = command("score", finished.folder, tmp_path / "new.csv")
    assert answer.code == 2
    assert "diagnosis" in one_sentence(answer.err)


def test_scoring_the_very_file_of_the_training_is_told(finished, command, tmp_path):
    flattered = command("score", finished.folder, finished.data, "--json")
    assert "fitted on this very file" in json.loads(flattered.out)["warnings"][0]
    part = tmp_path / "part.csv"
    pd.read_csv(finished.data).head(50).to_csv(part, index=False)
    assert json.loads(command("score", finished.folder, part, "--json").out)["warnings"] == []


def test_the_rows_to_predict_are_never_replaced_by_predictions(finished, command, tmp_path):
    rows = tmp_path / "new.csv"
    pd.read_csv(finished.data).head(5).to_csv(rows, index=False)
    before = rows.read_bytes()
    (tmp_path / "link.csv").symlink_to(rows)
    for output in (rows, tmp_path / "link.csv"):
        answer = command("predict", finished.folder, rows, "-o", output)
        assert answer.code == 2
        assert "is the file with the rows to predict" in one_sentence(answer.err)
        script = [sys.executable, "-I", str(finished.folder / "model" / "predict.py"), str(rows), "-o", str(output)]
        alone = subprocess.run(script, capture_output=True, text=True)
        assert alone.returncode == 2 and "is the file with the rows to predict" in alone.stderr
    assert rows.read_bytes() == before


def test_predict_py_ends_quietly_where_its_reader_has_seen_enough(finished):
    script = [sys.executable, "-I", str(finished.folder / "model" / "predict.py"), str(finished.data)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0


def test_report_and_leaderboard(finished, command):
    report = command("report", finished.folder)
    assert report.code == 0
    assert Path(report.out.strip().splitlines()[-1]) == finished.folder / "report.html"
    board = command("leaderboard", finished.folder)
    assert board.code == 0
    assert "linear" in board.out
    assert "baseline" in board.out


def test_verify_leaves_with_0_where_all_holds_and_with_4_where_something_differs(finished, command, tmp_path):
    untouched = command("verify", finished.folder, "--quiet")
    assert (untouched.code, untouched.err) == (0, "")
    assert "DIFFERS" not in untouched.out
    assert untouched.out.strip().endswith("hold.")
    changed = tmp_path / "tumours.csv"
    changed.write_text(finished.data.read_text().replace("malignant", "benign", 1))
    answer = command("verify", finished.folder, "--data", changed, "--json")
    document = json.loads(answer.out)
    assert answer.code == 4
    assert [each["file"] for part in document["parts"] for each in part["differences"]] == [str(changed)]
    assert not document["holds"]
    gone = command("verify", finished.folder, "--data", tmp_path / "gone.csv")
    assert gone.code == 2
    assert "gone.csv" in one_sentence(gone.err)


JSON_COMMANDS = {
    "models": ("models",),
    "profile": ("profile", "DATA"),
    "recommend": ("recommend", "DATA"),
    "predict": ("predict", "RUN", "DATA", "-o", "OUT"),
    "score": ("score", "RUN", "DATA"),
    "explain": ("explain", "RUN", "DATA", "--row", "3"),
    "report": ("report", "RUN"),
    "leaderboard": ("leaderboard", "RUN"),
    "compare": ("compare", "RUN", "RUN"),
    "verify": ("verify", "RUN"),
}


@pytest.mark.parametrize("name", JSON_COMMANDS)
def test_json_is_exactly_one_document(name, finished, command, tmp_path):
    places = {"DATA": finished.data, "RUN": finished.folder, "OUT": tmp_path / "out.csv"}
    answer = command(*(places.get(part, part) for part in JSON_COMMANDS[name]), "--json")
    assert answer.code == 0
    assert isinstance(json.loads(answer.out), dict)


def test_every_command_but_fit_has_a_json_case():
    assert set(JSON_COMMANDS) | {"fit"} == set(cli.commands)


def test_an_error_is_one_json_document_too(command):
    answer = command("profile", "no-such-file.csv", "--json")
    document = json.loads(answer.out)
    assert document["exit_code"] == answer.code == 2
    assert one_sentence(answer.err) == f"automl: {document['error']}"


def test_models_lists_every_architecture_by_kind_of_data_simplest_first(command):
    found = json.loads(command("models", "--json").out)["models"]
    kinds = list(dict.fromkeys(each["data"] for each in found))
    assert kinds == sorted(kinds) and set(kinds) >= {"audio", "forecast", "image", "mixture", "series", "tabular", "text"}
    for kind in kinds:
        rungs = [each["rung"] for each in found if each["data"] == kind]
        assert rungs == sorted(rungs) and rungs[0] == 0
    tabular = [each["name"] for each in found if each["data"] == "tabular"]
    assert tabular[:7] == ["baseline", "linear", "boosting", "forest", "mlp", "realmlp", "tabm"]


def test_recommend_saves_a_recipe_that_fit_takes(finished, command, tmp_path):
    answer = command("recommend", finished.data, "--only", "baseline,linear", "--time", "20", "--save", tmp_path / "plan.yaml")
    assert answer.code == 0
    assert answer.out.strip().splitlines()[-1] == f"next: automl fit --recipe {tmp_path / 'plan.yaml'}"
    answer = command("fit", "--recipe", tmp_path / "plan.yaml", "--out", tmp_path / "run", "--json", "--quiet")
    assert answer.code == 0
    document = json.loads(answer.out)
    assert document["champion"] == "linear"
    score = document["score"]
    assert (score["metric"], score["greater_is_better"]) == ("roc_auc", True)
    assert 0.5 < score["low"] <= score["value"] <= score["high"] <= 1.0
    assert score["baseline"]["value"] == 0.5
    assert "sealed part" in score["judged_on"]
    assert "search" not in answer.err


def test_recommend_never_replaces_a_file_unasked(finished, command, tmp_path):
    (tmp_path / "plan.yaml").write_text("mine")
    arguments = ("recommend", finished.data, "--save", tmp_path / "plan.yaml")
    answer = command(*arguments)
    assert answer.code == 2
    assert "--force" in one_sentence(answer.err)
    assert (tmp_path / "plan.yaml").read_text() == "mine"
    assert command(*arguments, "--force").code == 0
    assert (tmp_path / "plan.yaml").read_text() != "mine"


# --- wrong input -----------------------------------------------------------------------------------------------------

ROWS = "\n".join(f"{row},{row % 7},{'yes' if row % 3 else 'no'}" for row in range(60))
GOOD = f"a,b,churn\n{ROWS}\n"


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


BAD_FILES = {
    "no such file": (lambda path: None, (), "data.csv"),
    "empty file": (lambda path: path.write_text(""), (), "empty"),
    "header only": (lambda path: path.write_text("a,b,churn\n"), (), "row"),
    "one row": (lambda path: path.write_text("a,b,churn\n1,2,yes\n"), (), "row"),
    "misspelt target": (lambda path: path.write_text(GOOD), ("--target", "chrun"), 'did you mean "churn"?'),
    "constant target": (lambda path: path.write_text(GOOD.replace("yes", "no")), ("--target", "churn"), "churn"),
    "missing target": (
        lambda path: path.write_text(GOOD.replace("yes", "").replace("no", "")), ("--target", "churn"), "churn",
    ),
    "ragged rows": (lambda path: path.write_text(GOOD + "1,2,yes,4\n"), (), "line 62"),
    "duplicate columns": (lambda path: path.write_text(GOOD.replace("a,b", "a,a")), (), '"a"'),
    "binary rubbish": (_binary, (), "data.csv"),
    "a directory": (lambda path: path.mkdir(), (), "data.csv"),
    "unknown rung": (lambda path: path.write_text(GOOD), ("--only", "linaer"), 'did you mean "linear"?'),
    "unknown metric": (lambda path: path.write_text(GOOD), ("--metric", "roc_uac"), 'did you mean "roc_auc"?'),
    "unknown preset": (lambda path: path.write_text(GOOD), ("--preset", "fsat"), 'did you mean "fast"?'),
    "unknown kind": (lambda path: path.write_text(GOOD), ("--kind", "a=categroy"), 'did you mean "category"?'),
    "no kind": (lambda path: path.write_text(GOOD), ("--kind", "a"), "column=kind"),
    "no time": (lambda path: path.write_text(GOOD), ("--time", "soon"), "soon"),
    "time and trials": (lambda path: path.write_text(GOOD), ("--time", "20", "--trials", "3"), "exclude"),
    "no such option": (lambda path: path.write_text(GOOD), ("--trget", "churn"), "--target"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_wrong_input_is_one_sentence_and_leaves_nothing(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, arguments, part = BAD_FILES[name]
    make(tmp_path / "data.csv")
    before = sorted(tmp_path.rglob("*"))
    answer = command("fit", "data.csv", *([] if "--time" in arguments else ["--time", "20"]), *arguments)
    assert answer.code == 2, answer.err
    assert part in one_sentence(answer.err)
    assert answer.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_misspelt_command_and_run_are_told_the_nearest(finished, command):
    answer = command("predit", "x")
    assert answer.code == 2
    assert 'did you mean "predict"?' in one_sentence(answer.err)
    answer = command("report", finished.folder.with_name("rnu"))
    assert answer.code == 2
    assert 'did you mean "run"?' in one_sentence(answer.err)


def test_a_finished_run_is_not_touched(finished, command):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    answer = command("fit", finished.data, "--time", "20", "--only", "baseline", "--out", finished.folder)
    assert answer.code == 2
    assert str(finished.folder) in one_sentence(answer.err)
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


ON_A_RUN = {
    "predict": ("predict", "RUN", "DATA", "-o", "OUT"),
    "score": ("score", "RUN", "DATA"),
    "explain": ("explain", "RUN", "DATA", "--row", "3"),
    "report": ("report", "RUN"),
    "leaderboard": ("leaderboard", "RUN"),
    "compare": ("compare", "RUN", "RUN"),
    "verify": ("verify", "RUN"),
}
OF_THE_MODEL = ("run.json", "model/contract.json", "model/model.onnx")
OF_THE_RUN = (*OF_THE_MODEL, "report.json", "report.html", "plan.yaml", "evidence.json", "findings.json", "profile.json")
READS = {"predict": OF_THE_MODEL, "score": OF_THE_MODEL, "report": OF_THE_RUN, "leaderboard": OF_THE_RUN, "compare": OF_THE_RUN}
READS["explain"] = OF_THE_RUN
READS["verify"] = ("run.json",)  # a damage of the other files is what it is there to find


def _halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _one_byte_changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", ON_A_RUN)
def test_a_damaged_file_that_a_command_reads_is_one_sentence_with_its_name(name, finished, command, tmp_path):
    copy = shutil.copytree(finished.folder, tmp_path / "run")
    places = {"DATA": finished.data, "RUN": copy, "OUT": tmp_path / "out.csv"}
    arguments = [places.get(part, part) for part in ON_A_RUN[name]]
    for file in READS[name]:
        right = (copy / file).read_bytes()
        newer = json.dumps({**json.loads(right), "format": 999}).encode() if file == "run.json" else _one_byte_changed(right)
        for wrong in (newer, _halved(right), b"", None):
            (copy / file).unlink()
            if wrong is not None:
                (copy / file).write_bytes(wrong)
            elif file == "run.json":
                (copy / file).write_bytes(right)
                continue
            answer = command(*arguments)
            assert (answer.code, answer.out) == (2, ""), (file, answer)
            assert str(copy / file) in one_sentence(answer.err)
            with pytest.raises(InputError, match=re.escape(str(copy / file))):
                automl.load(copy)
            (copy / file).write_bytes(right)
        assert not (tmp_path / "out.csv").exists()
    assert command(*arguments).code == 0


def test_a_model_folder_stands_for_itself_wherever_it_is(finished, command, tmp_path):
    moved = shutil.copytree(finished.folder / "model", tmp_path / "elsewhere")
    answer = command("predict", moved, finished.data, "-o", "-")
    assert answer.code == 0
    assert answer.out == command("predict", finished.folder, finished.data, "-o", "-").out
    rows = pd.read_csv(finished.data)
    assert (automl.load(moved).predict(rows) == automl.load(finished.folder).predict(rows)).all()
    for file in ("contract.json", "model.onnx"):
        right = (moved / file).read_bytes()
        (moved / file).write_bytes(_halved(right))
        answer = command("predict", moved, finished.data, "-o", "-")
        assert answer.code == 2
        assert file in one_sentence(answer.err)
        (moved / file).write_bytes(right)


# --- what makes predictions doubtful ---------------------------------------------------------------------------------


def test_columns_that_tell_the_model_nothing_are_told(finished, command, tmp_path):
    frame = pd.read_csv(finished.data)
    frame["mean_radius"], frame["mean_area"] = "", "n. a."
    frame.to_csv(tmp_path / "new.csv", index=False)
    told = '2 columns have no value that could be read in any row and count as missing: "mean_radius", "mean_area"'
    answer = command("predict", finished.folder, tmp_path / "new.csv", "-o", tmp_path / "out.csv", "--json")
    assert json.loads(answer.out)["warnings"] == [told]
    assert answer.err == f"warning: {told}\n"
    assert json.loads(command("score", finished.folder, tmp_path / "new.csv", "--json").out)["warnings"] == [told]
    script = [sys.executable, str(finished.folder / "model" / "predict.py"), str(tmp_path / "new.csv")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"note: {told}\n")
    answer = command("predict", finished.folder, finished.data, "-o", tmp_path / "out.csv", "--json")
    assert json.loads(answer.out)["warnings"] == []
    assert answer.err == ""


def test_a_file_with_decimal_commas_predicts_the_same(finished, command, tmp_path):
    pd.read_csv(finished.data).to_csv(tmp_path / "comma.csv", index=False, sep=";", decimal=",")
    answer = command("predict", finished.folder, tmp_path / "comma.csv", "-o", "-")
    assert answer.code == 0
    assert "decimal comma" in one_warning(answer.err)
    assert answer.out == command("predict", finished.folder, finished.data, "-o", "-").out


def one_warning(err: str) -> str:
    assert err.startswith("warning: ")
    assert err.count("\n") == 1
    return err


# --- the system ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_sentence(finished, command):
    answer = command("predict", finished.folder, finished.data, "-o", "/dev/full")
    assert answer.code == 2
    assert "space" in one_sentence(answer.err)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="there is no folder here in which even root may not write")
def test_no_permission_for_the_run_folder(finished, command):
    answer = command("fit", finished.data, "--time", "20", "--only", "baseline", "--out", "/sys/kernel/run")
    assert answer.code == 2
    assert "/sys/kernel/run" in one_sentence(answer.err)


def test_an_out_below_a_file_is_one_sentence(finished, command):
    answer = command("fit", finished.data, "--time", "20", "--only", "baseline", "--out", finished.data / "run")
    assert answer.code == 2
    one_sentence(answer.err)


def test_a_check_that_says_stop_leaves_with_3_and_a_report(command, monkeypatch, finished, tmp_path):
    monkeypatch.setattr("automl.judge.checks.constant_input.TOLERANCE", -1.0)
    answer = command("fit", finished.data, "--trials", "2", "--only", "linear", "--quiet", "--out", tmp_path / "run")
    assert answer.code == 3
    assert "AML320" in one_sentence(answer.err)
    assert answer.out.startswith("Do not use: One check says stop")
    assert (tmp_path / "run" / "report.html").is_file()
    shown = command("report", tmp_path / "run")
    assert shown.code == 0


def test_our_own_fault_is_told_with_a_log(command, monkeypatch, finished):
    from automl import run

    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(run, "open_run", broken)
    answer = command("report", finished.folder)
    assert answer.code == 70
    log = Path(one_sentence(answer.err).rpartition(" ")[2])
    assert "ZeroDivisionError: of ours" in log.read_text()
    log.unlink()


@pytest.mark.parametrize("module", ["click", "automl.run", "numpy", "pandas", "pandas._libs.lib", "pyarrow", "onnxruntime"])
def test_an_interrupt_while_something_is_imported_is_130_and_no_traceback(module, finished):
    code = (
        "import os, runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "runpy.run_module('automl', run_name='__main__')\n"
    )
    verb = "predict" if module == "onnxruntime" else "profile"
    given = [finished.folder, finished.data, "-o", "-"] if verb == "predict" else [finished.data]
    done = subprocess.run([sys.executable, "-c", code, verb, *map(str, given)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "automl: interrupted")


def test_ctrl_c_keeps_the_best_model_so_far(finished, tmp_path):
    arguments = ["fit", str(finished.data), "--time", "40", "--preset", "best", "--only", "baseline,linear"]
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "automl", *arguments, "--out", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    waited = time.monotonic() + 30.0
    while not (folder / "trials.jsonl").exists() and process.poll() is None and time.monotonic() < waited:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "next: automl predict" in out
    assert (folder / "model" / "model.onnx").exists()
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"


@pytest.mark.parametrize(("presses", "code"), [(1, 0), (2, 130), (3, 130)])
def test_every_ctrl_c_counts_that_comes_during_one_call_into_c(presses, code):
    """While C code runs, Python notes that a signal came, not how many."""
    script = (
        "import itertools, os, subprocess, sys\n"
        "from automl.core.clock import Deadline\n"
        "from automl.terminal import Progress, interruptible\n"
        f"press = 'sleep 0.2; ' + 'kill -INT $0; sleep 0.1; ' * {presses}\n"
        "deadline = Deadline(60.0)\n"
        "with interruptible(deadline, Progress(deadline, quiet=True)) as interruption:\n"
        "    shell = subprocess.Popen(['sh', '-c', press, str(os.getpid())])\n"
        "    sum(itertools.repeat(1.0, 300_000_000))\n"
        "    shell.wait()\n"
        "sys.exit(0 if deadline.interrupted else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    left = 130 if "KeyboardInterrupt" in done.stderr else done.returncode
    assert left == code, done.stderr


@pytest.mark.parametrize(
    ("metric", "told", "found", "warns"),
    [
        ("accuracy", (0.85, 0.79, 0.90), (0.84, 0.837, 0.843), False),  # few judged rows, many new ones
        ("accuracy", (0.90, 0.896, 0.904), (0.875, 0.74, 0.95), False),  # many judged rows, few new ones
        ("roc_auc", (0.84, 0.81, 0.87), (0.77, 0.75, 0.79), True),
        ("roc_auc", (0.77, 0.75, 0.79), (0.84, 0.81, 0.87), False),
        ("log_loss", (0.30, 0.28, 0.32), (0.40, 0.38, 0.42), True),
        ("log_loss", (0.40, 0.38, 0.42), (0.30, 0.28, 0.32), False),
        ("roc_auc", (0.84, None, None), (0.77, 0.75, 0.79), False),
    ],
)
def test_a_score_below_that_of_the_report_is_told_where_chance_does_not_explain_it(metric, told, found, warns, tmp_path):
    score = dict(zip(("value", "low", "high"), told, strict=True))
    (tmp_path / "report.json").write_text(json.dumps({"headline": {"metric": metric, "score": score}}))
    scores = Scores(500, 0, {metric: found[0]}, {metric: found[1:]})
    assert bool(_beside_the_report(str(tmp_path), scores)) == warns
    assert _beside_the_report(str(tmp_path / "model"), scores) == []
