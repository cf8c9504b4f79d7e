"""Where the site's database is, who may write just now, and how every process follows a move.

Imports no model and no app: the settings import it.
"""
