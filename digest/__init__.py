"""Council Digest: one personal e-mail a week about what your councils decided and what is coming up."""

__version__ = "0.1.0"
