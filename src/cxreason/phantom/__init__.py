"""The synthetic world: phantoms of chest X-rays with reports, labels, boxes and priors, and no patient in it.

>>> from cxreason.phantom.generate import studies
>>> next(studies(seed=0, num_studies=1)).render(64).dtype
dtype('uint8')
"""
