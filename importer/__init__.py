"""visma-import: Excel rows become documents in Visma Net ERP, each exactly once.

The modules in the order things happen:

    yamlfile -> mapping_file -> workbook -> values -> convert -> template -> plan -> decide
        -> journal -> lookup -> upsert -> preflight -> run -> lanes -> slots -> send
        (api/session, api/client, api/verdict) -> doubts -> report

Imports run one way down this list of floors; tests/test_floors.py proves it:

    0  errors, model, resources, stop, beside
    1  endpoints, fields, jsontext, yamlfile, locales, formats, sandbox, grouping, atomic_file, allowance
    2  values, rules, cells, schemacheck, compare, catalogue, expect, request_schema, mapping_advice
    3  literals, expression, workbook, target, causes, replaced
    4  mapping, mapping_schema, project, api, misread
    5  mapping_file, convert, remembered, template, journal, blank_mark, mapped_columns
    6  findings, decide, oddities, currencies, documents, outline, filling, computing, bodies, references, migration
    7  plan, lookup, forecast, memory, saved_plan
    8  sequence, search, background, lanes, slots, stop_rules, report, fetch, doctor, fetch_files
    8  kept_plan, drafting, blank, mapping_tests
    9  readback, existing, resolve
    10  send, verify, upsert
    11  doubts, preflight
    12  run, decisions
    13  cli, __main__
"""

__version__ = "0.1.0"
