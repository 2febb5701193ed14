"""One made-up valid code for each kind; the numbers are invented, their check digits are right."""

from __future__ import annotations

from hub.fiscal.marking import MarkKind

GS = "\x1d"
GTIN = "04600000000015"
SERIAL = "AbC1234567890"
TAIL_44 = "dGVzdCBvZiB0aGUgaHViLCBub3QgYSByZWFsIHRhaWw="
TAIL_88 = "bm90IGEgcmVhbCB0YWlsIGVpdGhlciwgb25seSBhcyBsb25nIGFzIG9uZSB3b3VsZCBiZSBvbiBzaG9lcywgaGVy"

SAMPLES: dict[MarkKind, str] = {
    MarkKind.GS1_44: f"01{GTIN}21{SERIAL}{GS}91EE06{GS}92{TAIL_44}",
    MarkKind.GS1_88: f"01{GTIN}21{SERIAL}{GS}918029{GS}92{TAIL_88}",
    MarkKind.GS1_4: f"01{GTIN}21{SERIAL}{GS}93x7Yz",
    MarkKind.GS1M: f"01{GTIN}21{SERIAL}{GS}91EE06{GS}92c2hvcnQ=",
    MarkKind.MEDICINE: f"01{GTIN}21{SERIAL}{GS}10LOT7{GS}1727123191EE06{GS}92{TAIL_44}",
    MarkKind.TOBACCO_PACK: "04600000000022s1+R9a?ABuUx7Yz",
    MarkKind.TOBACCO_BLOCK: f"01{GTIN}21qW3rT5y{GS}8005018500{GS}93x7Yz",
    MarkKind.SHORT: f"01{GTIN}21{SERIAL}",
    MarkKind.GTIN: f"01{GTIN}",
    MarkKind.FUR: "RU-430302-ABC1234567",
    MarkKind.EGAIS_2: "20N000012QQ10ZWW11XEE12CRR13VTT14BYY15NUU16MII17LOO18KPP19JAA20HSS21",
    MarkKind.EGAIS_3: "10130045670012" + "QW1ER2TY3UI4OP5AS6DF" * 6 + "0123456789ABCDEF",
    MarkKind.EAN_8: "46000019",
    MarkKind.EAN_13: "4600000000015",
    MarkKind.ITF_14: "14600000000012",
    MarkKind.FUEL: "fuel:1234567890",
    MarkKind.F1: "F.1:CODE-1",
    MarkKind.F2: "F.2:CODE-2",
    MarkKind.F3: "F.3:CODE-3",
    MarkKind.F4: "F.4:CODE-4",
    MarkKind.F5: "F.5:CODE-5",
    MarkKind.F6: "F.6:CODE-6",
    MarkKind.UNKNOWN: "unknown:KOD-1",
}
