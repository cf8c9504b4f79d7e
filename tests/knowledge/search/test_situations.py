"""Ten situations as they come up at night: a line is pasted, and the entry that helps is the first result."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from knowledge.starter import starter_load

#: What was pasted -> the code of the entry that helps; IEC141I has one of its own, with the reasons of an S013.
SITUATIONS = {
    "IEF450I PAYJOB01 STEP020 PAYR010 - ABEND=S0C4 U0000 REASON=00000011   TIME=03.12.44": "S0C4",
    "IGZ0035S There was an unsuccessful OPEN or CLOSE of file CUSTMAST in program CUSU100 at relative location "
    "X'05BE'. Neither FILE STATUS nor an ERROR declarative were specified. The status code was 39.": "FS 39",
    "DSNT408I SQLCODE = -805, ERROR:  DBRM OR PACKAGE NAME PAYLOC.PAYCOLL.PAYR010.1A2B3C4D5E6F7A8B NOT FOUND IN "
    "PLAN PAYPLAN. REASON 03": "SQLCODE -805",
    "IEC141I 013-18,IGG0191B,ORDJOB2,STEP010,ORDIN,0A31,PRD004,PROD.ORDERS.PARM": "IEC141I",
    "IEC030I B37-04,IFG0554A,INVJOB7,STEP030,SORTOUT,0B12,PRD011,PROD.INV.EXTRACT": "SB37",
    "DFHAP0001 CICSPRA1 An abend (code 0C4/AKEA) has occurred at offset X'0000A3F2' in module CUSO200.\n"
    "DFHAC2206 14:03:11 CICSPRA1 Transaction CUSO has failed with abend ASRA.": "ASRA",
    "DFS555I TRAN CUSINQ ABEND S000,U0456 ; MSG IN PROCESS: CUSINQ 10023": "U0456",
    "MQPUT1 of queue PAY.REQUEST ended with completion code 2 and reason MQRC 2035": "MQRC 2035",
    "$HASP395 PAYJOB01 ENDED - ABEND=S322": "S322",
    "CEE3204S The system detected a protection exception (System Completion Code=0C4). From compile unit PAYR010 at "
    "entry point PAYR010 at statement 412 at compile unit offset +00000A3C": "S0C4",
}


@pytest.mark.django_db
def test_ten_pasted_lines_have_the_entry_that_helps_first_in_one_search(client: Client) -> None:
    starter_load()
    found = {}
    for text in SITUATIONS:
        hits = client.get(reverse("search"), {"q": text}).context["results"].hits
        found[text] = hits[0].entry.code_links[0].error_code.code if hits else ""
    assert found == SITUATIONS
