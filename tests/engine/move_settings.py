"""Settings of a site whose new database answers wrongly after a move."""

from kbsite.settings import *  # noqa: F403
from kbsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.engine.wrong_answers.WrongAnswersConfig"]
