"""visma-import: Excel rows become documents in Visma Net ERP, each exactly once.

The modules in the order things happen:

    yamlfile -> mapping -> workbook -> values -> convert -> template -> plan
        -> journal -> run (api/client, api/verdict) -> report

Imports run one way down this list of floors; tests/test_floors.py proves it:

    0  errors, model, resources, endpoints, fields
    1  values, expression, yamlfile, workbook, project, target, journal, api, sandbox
    2  mapping, mapping_schema, convert, template
    3  plan
    4  run, report
    5  cli, __main__
"""

__version__ = "0.1.0"
