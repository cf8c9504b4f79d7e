"""Django's database backends with connections that follow the site's database."""
