"""What predictions are worth: scores of reasoning and answers, with honest intervals.

    from cxreason.evaluation import radrscore

`radrscore` is the function here, and `cxreason.evaluation.radrscore` is also the module that it lives in:
`from cxreason.evaluation.radrscore import factuality` works in any order. Because this package binds the name
after the module was loaded, the function is what `cxreason.evaluation.radrscore` means as an attribute.
"""

from cxreason.evaluation.radrscore import radrscore

__all__ = ["radrscore"]
