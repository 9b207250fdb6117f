"""The web entrance: requests in, answers out. Reads HTTP; decides nothing.

Enters: HTTP requests. Leaves: answers, and values for the corridor. Must never: believe a post without its
signature, change anything on GET, or show an error of ours with its insides.
"""
