"""What migration.yaml says: steps, workbooks, parameters, its target; what is wrong in it is told where it stands."""

import hashlib

import pytest
from end_to_end import command
from migrations import CUSTOMERS, INVOICES, MIGRATION, Mover, customer, invoice, local

__all__ = ["local"]

DIGEST = "0" * 64
WITH_PARAMETERS = (
    CUSTOMERS.replace("key: Old", "parameters:\n  of: {type: text, required: true}\n  more: {type: text}\nkey: Old")
    .replace("name: Name", "name: {template: \"{{ row['Name'] ~ ' ' ~ param.of }}\"}")
)  # fmt: skip


def refused(mover: Mover, *told: str, code: int = 3, options: tuple[str, ...] = ()) -> None:
    """See that a migration is not run, that it says why, and that nothing was sent."""
    done = mover.run("migration.yaml", *options)
    said = " ".join((done.out + done.err).split())
    assert (done.code, mover.writes) == (code, 0), said
    assert [text for text in told if text not in said] == [], said


# -- parameters ----------------------------------------------------------------------------------------------------


def test_a_step_has_its_parameters_and_the_command_line_overrides_them(local: Mover) -> None:
    """--param counts where a mapping declares it, in any step; what no mapping declares is refused."""
    local.write("customers.yaml", WITH_PARAMETERS)
    local.write("migration.yaml", MIGRATION.replace("customers.yaml", "customers.yaml\n    parameters: {of: 2024}"))
    assert local.run().code == 0
    assert sorted(local.names.values()) == ["Kunde 1 2024", "Kunde 2 2024"]

    local.customers(customer(7))
    local.invoices(invoice(7, "K-7"))
    assert local.run("migration.yaml", "--param", "of=a=b ø").code == 0
    assert "Kunde 7 a=b ø" in local.names.values()


def test_parameters_that_are_missing_or_unknown_name_the_step(local: Mover) -> None:
    """In the file and on the command line."""
    local.write("customers.yaml", WITH_PARAMETERS)
    refused(local, "Step customers.yaml: The parameter 'of' has no value.", code=2)
    for given in ("{of: 1, mroe: x}", '{of: 1, "m=r": x}'):
        local.write("migration.yaml", MIGRATION.replace("customers.yaml", f"customers.yaml\n    parameters: {given}"))
        refused(local, "Step customers.yaml: The mapping declares no parameter", code=2)
    local.write("migration.yaml", MIGRATION.replace("customers.yaml", "customers.yaml\n    parameters: {of: 1}"))
    refused(local, "declares a parameter 'off'. Did you mean 'of'?", code=2, options=("--param", "off=1"))


def test_a_mistake_in_a_workbook_is_told_where_it_stands(local: Mover) -> None:
    """It may be a name or a group of lines: of a group what is wrong within it."""
    for given, told in (
        ("{fiel: a.xlsx}", "'fiel' is not known in 'steps[1].workbook'. Did you mean 'file'?"),
        ("", "'steps[1].workbook' has no value."),
    ):
        message, _, hint = told.partition(". ")
        local.write("migration.yaml", MIGRATION.replace("customers.yaml", f"customers.yaml\n    workbook: {given}"))
        refused(local, message, hint)


# -- workbooks -----------------------------------------------------------------------------------------------------


def test_a_workbook_is_the_one_whose_content_is_named(local: Mover) -> None:
    """With its SHA-256 it runs, in either case of letters; another file is refused, and both are named."""
    digest = hashlib.sha256((local.project / "customers.xlsx").read_bytes()).hexdigest()
    named = MIGRATION.replace("customers.yaml", "customers.yaml\n    workbook: {{file: customers.xlsx, sha256: '{}'}}")
    local.write("migration.yaml", named.format(DIGEST))
    refused(local, "'customers.xlsx' is another file than this one", digest, "migration.yaml")

    local.write("migration.yaml", named.format(digest.upper()))
    assert local.run().code == 0


def test_a_workbook_may_be_named_by_the_environment(local: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the migration, or absolute; where the variable is not set it is named."""
    (local.project / "customers.xlsx").rename(local.project.parent / "given.xlsx")
    named = MIGRATION.replace("customers.yaml", "customers.yaml\n    workbook: {env: GIVEN}")
    local.write("migration.yaml", named)
    refused(local, "The environment variable 'GIVEN', which names a workbook, is not set.", code=2)

    monkeypatch.setenv("GIVEN", "../nowhere.xlsx")
    refused(local, "nowhere.xlsx")
    monkeypatch.setenv("GIVEN", "../given.xlsx")
    assert local.run().code == 0


# -- the target ----------------------------------------------------------------------------------------------------


def test_the_migration_names_its_target_and_the_command_line_another(local: Mover) -> None:
    """Without --target the one in the file; what is not declared is refused."""
    local.write("migration.yaml", MIGRATION.replace("name: move", "name: move\ntarget: test"))
    told = ["--journal", local.journal, "--yes"]
    code, out, _ = command("run", "migration.yaml", *told, cwd=local.project)
    assert (code, len(local.held), "Target test" in out) == (0, 3, True)
    code, out, _ = command("run", "migration.yaml", *told, "--target", "sandbox", cwd=local.project)
    assert (code, len(local.held), "nothing reached Visma" in out) == (0, 3, True)

    local.write("migration.yaml", MIGRATION.replace("name: move", "name: move\ntarget: tset"))
    code, _, err = command("run", "migration.yaml", *told, cwd=local.project)
    assert (code, "tset" in err) == (3, True)


# -- the file itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("mapping: customers.yaml", "mapping: custmers.yaml"), ("There is no such mapping.", "'customers.yaml'?")),
        (("version: 1", "version: 2"), ("migration.yaml:1:10", "version")),
        (("steps:", "stepps:"), ("'stepps'", "Did you mean 'steps'?")),
        (("mapping: invoices.yaml", "mapping: invoices.yaml\n    workbok: x.xlsx"), ("'workbok'", "'workbook'?")),
        (("invoices.yaml", "invoices.yaml\n    stop: {failures: -1}"), ("migration.yaml:6:22", "failures")),
        (("invoices.yaml", "invoices.yaml\n    stop: {unreachable: 0}"), ("unreachable",)),
        (("invoices.yaml", "invoices.yaml\n    workbook: {file: a.xlsx, env: B}"), ("workbook",)),
        (("invoices.yaml", "invoices.yaml\n    workbook: {sha256: '0'}"), ("sha256",)),
        (("  - mapping: customers.yaml\n  - mapping: invoices.yaml\n", "  []\n"), ("steps",)),
        (("name: move", "name: ''"), ("name",)),
        (("mapping: invoices.yaml", "mapping: customers.yaml"), ("Two steps are named 'customers'.",)),
        (
            ("steps:\n", "steps:\n  - {name: x, mapping: customers.yaml}\n  - {name: x, mapping: customers.yaml}\n"),
            ("Two steps are named 'x'.",),
        ),
        (("mapping: invoices.yaml", "mapping: migration.yaml"), ("endpoint",)),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_told_where_it_stands(
    local: Mover, change: tuple[str, str], told: tuple[str, ...]
) -> None:
    """With the line, and what is meant; nothing is read or sent before."""
    assert change[0] in MIGRATION
    local.write("migration.yaml", MIGRATION.replace(*change))

    refused(local, *told)


def test_a_mapping_or_workbook_that_is_broken_names_its_own_file(local: Mover) -> None:
    """In whichever step it is."""
    local.write("invoices.yaml", INVOICES.replace("quantity: Qty", "quantty: Qty"))
    refused(local, "invoices.yaml", "quantty")
    local.write("invoices.yaml", INVOICES)
    (local.project / "invoices.xlsx").unlink()
    refused(local, "invoices.xlsx")


def test_what_is_wrong_in_the_mappings_of_all_steps_is_told_at_once(local: Mover) -> None:
    """Each where it stands, in the order of the steps; a step whose mapping is wrong is no unknown name for others."""
    customers = CUSTOMERS.replace("name: customers", "name: people").replace("name: Name", "nmae: Name")
    local.write("customers.yaml", customers)
    wrong = INVOICES.replace("document: customers", "document: people")
    local.write("invoices.yaml", wrong.replace("quantity: Qty", "quantty: Qty"))
    refused(local, "customers.yaml:7:3", "nmae", "invoices.yaml:", "quantty", "2 mistakes")
    local.write("invoices.yaml", wrong)
    refused(local, "customers.yaml:7:3")
    assert "mistakes" not in local.run("migration.yaml").err


def test_a_mapping_whose_name_cannot_be_read_hides_no_mistake_and_makes_none(local: Mover) -> None:
    """Its file is no YAML, so that nobody knows what it is called: what is wrong in the others is told all the same."""
    local.write("customers.yaml", CUSTOMERS.replace("name: customers", "name: [people"))
    wrong = INVOICES.replace("document: customers", "document: people")
    local.write("invoices.yaml", wrong.replace("quantity: Qty", "quantty: Qty"))
    refused(local, "customers.yaml:", "invoices.yaml:", "quantty", "2 mistakes")
    local.write("invoices.yaml", wrong)
    refused(local, "customers.yaml:")
    assert "people" not in local.run("migration.yaml").err.replace("name: [people", "")


def test_one_mapping_of_two_steps_tells_its_mistakes_once(local: Mover) -> None:
    """Each step has a workbook of its own."""
    local.write("customers.yaml", CUSTOMERS.replace("name: Name", "nmae: Name"))
    twice = "steps:\n  - {name: a, mapping: customers.yaml}\n  - {name: b, mapping: customers.yaml}\n"
    local.write("migration.yaml", MIGRATION.replace("steps:\n", twice))

    assert local.run("migration.yaml").err.count("nmae: Name") == 1


def test_a_wrong_mapping_is_told_before_a_later_workbook_that_is_missing(local: Mover) -> None:
    """And the other way round, in the order of the steps."""
    local.write("customers.yaml", CUSTOMERS.replace("name: Name", "nmae: Name"))
    (local.project / "invoices.xlsx").unlink()
    refused(local, "customers.yaml", "nmae")
    local.write("customers.yaml", CUSTOMERS)
    refused(local, "invoices.xlsx")


def test_paths_start_from_the_migration_and_its_project_is_where_it_lies(local: Mover) -> None:
    """Run from another folder it reads the same files and keeps the same journal; its name is the file's."""
    for name in ("customers.yaml", "invoices.yaml"):
        (local.project / "maps").mkdir(exist_ok=True)
        (local.project / name).rename(local.project / "maps" / name)
    for name in ("customers.xlsx", "invoices.xlsx"):
        (local.project / name).rename(local.project / "maps" / name)
    (local.project / "migration.yaml").rename(local.project / "wave-1.migration.yaml")
    text = MIGRATION.replace("name: move\n", "").replace("mapping: ", "mapping: maps/")
    local.write("wave-1.migration.yaml", text)
    outside = local.project.parent
    code, out, err = command("run", "project/wave-1.migration.yaml", *local.told, "--yes", cwd=outside)

    assert (code, len(local.held)) == (0, 3), err
    assert "wave-1: 2 of 2 steps" in out
    assert next((local.project / "reports").iterdir()).name.startswith("wave-1-")
    # and a step by itself meets the same journal and the same names
    assert local.run("maps/invoices.yaml").code == 0
    assert len(local.held) == 3
