"""A user's own job: what it brings, and everything that is wrong with it at once."""

import shlex
from pathlib import Path

import pytest

from workloads.protocol import parcel
from workloads.runner.jobs_api import work
from workloads.runner.jobs_api.work import WorkError, work_of


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "my job.py"
    path.parent.mkdir()
    path.write_text("print('here')\n")
    return path


def test_a_script_comes_alone_and_is_run_with_its_arguments(script: Path) -> None:
    (script.parent / "other.txt").write_text("not needed")
    job = work_of([str(script), "--n", "5"])
    assert job.entrypoint == "python 'my job.py' --n 5"
    with job.environment() as environment:
        brought = Path(environment["working_dir"])
        assert [path.name for path in brought.iterdir()] == ["my job.py"]
    assert not brought.exists()


def test_a_folder_comes_whole_and_the_script_is_named_from_there(script: Path) -> None:
    job = work_of([str(script)], folder=script.parent.parent)
    assert job.entrypoint == "python 'project/my job.py'"
    with job.environment() as environment:
        assert environment["working_dir"] == str(script.parent.parent)


def test_a_command_brings_nothing(script: Path) -> None:
    job = work_of(["echo", "two words"])
    assert job.entrypoint == "echo 'two words'"
    with job.environment() as environment:
        assert environment == {"env_vars": {"PYTHONUNBUFFERED": "1"}}


def test_packages_come_from_options_and_files_and_variables_are_set(tmp_path: Path) -> None:
    listed = tmp_path / "needs.txt"
    listed.write_text("# for the plot\nseaborn==0.13.2  # pinned\n\n")
    job = work_of(["true"], pip=["tqdm", str(listed)], variables=["MODE=a=b", "PYTHONUNBUFFERED=0"])
    with job.environment() as environment:
        assert environment == {
            "env_vars": {"PYTHONUNBUFFERED": "0", "MODE": "a=b"},
            "pip": {"packages": ["tqdm", "seaborn==0.13.2"]},
        }


def test_a_job_that_sends_files_is_run_by_the_program_that_does_so_in_a_folder_of_its_own(
    script: Path,
) -> None:
    job = work_of([str(script), "5"], fetch=["*.png", "my out/*"])
    assert job.command == "python 'my job.py' 5"
    words = shlex.split(job.entrypoint)
    assert words[:3] == ["python", "-I", "-c"]
    assert words[4:] == [job.command, "*.png", "my out/*"]
    folders = []
    for _ in range(2):
        with job.environment() as environment:
            assert environment["env_vars"][words[3].removeprefix("$")] == Path(parcel.__file__).read_text()
            folders.append(
                {path.name: path.read_text() for path in Path(environment["working_dir"]).iterdir()}
            )
    # Ray has one folder for all jobs that bring the same.
    assert folders[0].keys() == {"my job.py", ".piray-job"}
    assert folders[0] != folders[1]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "a/../../x", "~/x", "", "-x", "a\nb"])
def test_a_pattern_that_leads_out_of_the_jobs_folder_is_refused(pattern: str, script: Path) -> None:
    with pytest.raises(WorkError, match="must name files in the job's working directory, as '"):
        work_of([str(script)], fetch=[pattern])


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(WorkError) as told:
        work_of(["nothing.py"], pip=[str(tmp_path / "none.txt")], variables=["2ND=x", "PLAIN"])
    for part in (
        "there is no script nothing.py",
        "none.txt cannot be read (No such file or directory)",
        "--env 2ND must be NAME=VALUE",
        "--env PLAIN must be NAME=VALUE",
    ):
        assert part in str(told.value)


def test_a_script_outside_of_its_working_dir_is_refused(script: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(WorkError, match="is not in --working-dir .*: give a folder that holds it"):
        work_of([str(script)], folder=elsewhere)


def test_a_folder_that_is_too_large_is_refused_with_its_largest_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_BYTES", 3 * 1024 * 1024)
    for name, mib in (("small.bin", 1), ("data/large.bin", 2), ("data/larger.bin", 3)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0" * mib * 1024 * 1024)
    with pytest.raises(WorkError, match=r"holds 6 MiB, and a job may bring 3: .* data/larger.bin \(3 MiB\)"):
        work_of(["true"], folder=tmp_path)
    (tmp_path / ".rayignore").write_text("data\n")
    work_of(["true"], folder=tmp_path)
