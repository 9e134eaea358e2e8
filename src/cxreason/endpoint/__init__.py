"""Asking a language model on any OpenAI-compatible server, and the prompts that it is asked with.

Nothing leaves the machine unless a recipe or a caller names a url. The standard library speaks HTTP here, so
the base install can do it.

    from cxreason.endpoint.client import Endpoint
    from cxreason.settings import EndpointSettings

    endpoint = Endpoint(EndpointSettings(url="http://localhost:8000/v1", model="judge"), cache=path)
    endpoint.ask_text([{"role": "user", "content": "Say edema."}])
"""
