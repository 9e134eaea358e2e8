"""`cxreason serve`: a page and an API that ask a model about an X-ray and show how it came to its answer.

app.py        the application: pages, security headers, errors      api.py    the JSON API
chat.py       the OpenAI-compatible API                             work.py   one question under way
questions.py  types of question -> what the model is asked          reading.py  what a growing reply says
engines.py    a checkpoint here, or a model on a server             line.py   who waits, and who is sent away
images.py     uploads, decoded in a process of their own (decoder.py), and kept for a while
"""
