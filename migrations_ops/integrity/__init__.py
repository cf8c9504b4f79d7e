"""Is the data sound: checks, repairs and cleanups that can be undone, the site's health, alerts."""
