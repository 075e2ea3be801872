"""Make an installable, pure-Python Detectron2 v0.6 out of the source release that the package index serves.

Detectron2 is not on the package index under its own name. A source distribution of its v0.6 tag is
(``pb1-detectron2``), but without the C++ sources, so its own ``setup.py`` can never build it. ``fetch`` gets
that archive through pip's settings, ``repack`` checks its digest and rewrites it as a wheel named
``detectron2``, with the ``patches`` that current torch, NumPy, Pillow and setuptools need. Nothing of the
archive is executed.
"""
