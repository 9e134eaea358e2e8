"""The reader study: people write, edit, compare and judge, and nothing that they did is lost.

protocol.py   what a study is: cases, arms, readers, questions (YAML), checked before anybody sits down
design.py     who reads what, when, in which arm and with which report on the left: pure, seeded
tables.py     the tables; what is recorded is only ever added to
store.py      events in, the state of a reading out
timing.py     events -> how long somebody really read
accounts.py   passwords, one-time links, sessions, failed logins
app.py        the web application; pages.py, reading.py and admin.py are its routes
export.py     what was recorded as tables; analyse.py: the figures of the study and their page
example.py    a study on phantoms that runs at once
"""
