"""The live database move: the site's rows go to another database while people work with them."""
