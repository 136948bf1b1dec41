"""What is told of a run to whoever was not there: pictures, and a page that holds all of it. The door is `making.make_report`.

A pure function of plain values: `train` calls it with what it made, `samebits report` with what the server holds. Nothing is fitted,
asked or read here, and with the same values the same bytes come out, whoever's clock, language and settings they are made under.
"""
