"""The script that a user would write: read the workbook with pandas, send each invoice with requests.

    python plain_script.py WORKBOOK ADDRESS

It keeps no journal: what was sent when it breaks off, nobody knows.
"""

import sys

import pandas as pd
import requests


def main(workbook: str, address: str) -> None:
    """Send each invoice of a workbook."""
    frame = pd.read_excel(workbook, dtype={"Kundenr": str, "Konto": str, "MVA-kode": str})
    for number, rows in frame.groupby("Fakturanr", sort=False):
        first = rows.iloc[0]
        body = {
            "externalReference": {"value": number},
            "customerNumber": {"value": first["Kundenr"]},
            "documentDate": {"value": first["Fakturadato"].date().isoformat()},
            "documentDueDate": {"value": first["Forfallsdato"].date().isoformat()},
            "currencyId": {"value": first["Valuta"]},
            "customerRefNumber": {"value": first["Referanse"]},
            "invoiceLines": [
                {
                    "operation": "Insert",
                    "description": {"value": line["Tekst"]},
                    "quantity": {"value": line["Antall"]},
                    "uom": {"value": line["Enhet"]},
                    "unitPriceInCurrency": {"value": line["Pris"]},
                    "accountNumber": {"value": line["Konto"]},
                    "vatCodeId": {"value": line["MVA-kode"]},
                }
                for line in rows.to_dict("records")
            ],
        }
        answer = requests.post(
            f"{address}/v1/customerinvoice", json=body, headers={"Authorization": "Bearer a token"}, timeout=60
        )
        answer.raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
