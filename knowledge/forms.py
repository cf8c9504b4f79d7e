"""Forms of the reader pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from knowledge.labels import TAG_CHARS
from knowledge.models import Entry, FlagReason
from knowledge.outlines import is_untouched

if TYPE_CHECKING:
    EntryModelForm = forms.ModelForm[Entry]
else:  # only the type checker's stubs can be subscripted
    EntryModelForm = forms.ModelForm

LISTED_CHARS = 1_000
LISTED_MOST = 30
CODE_CHARS = 32


class ListedField(forms.CharField):
    """Short words separated by commas; cleaned to a list without repeats, in the order typed."""

    def __init__(self, *, word_chars: int, **options: Any) -> None:
        self.word_chars = word_chars
        super().__init__(required=False, max_length=LISTED_CHARS, **options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def clean(self, value: Any) -> list[str]:
        words = list(
            dict.fromkeys(word for part in super().clean(value).split(",") if (word := " ".join(part.split())))
        )
        if len(words) > LISTED_MOST:
            raise forms.ValidationError(_("At most %(most)s of these."), params={"most": LISTED_MOST})
        for word in words:
            if len(word) > self.word_chars:
                raise forms.ValidationError(
                    _("“%(word)s” is longer than %(chars)s characters. Separate with commas."),
                    params={"word": word[:40], "chars": self.word_chars},
                )
        return words


class EntryForm(EntryModelForm):
    """An entry as people write it. It checks; knowledge.entries writes."""

    tags = ListedField(
        label=_("Tags"),
        word_chars=TAG_CHARS,
        help_text=_("Separated by commas, for example: abend, packed-decimal, sort."),
    )
    codes = ListedField(
        label=_("Codes"),
        word_chars=CODE_CHARS,
        help_text=_(
            "The entry's own code first, for example: S0C7, CEE3207S. Codes in the text are found without this."
        ),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    class Meta:
        model = Entry
        fields = ("title", "category", "severity", "problem", "solution")
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "title": forms.TextInput(attrs={"autofocus": True}),
            "problem": forms.Textarea(attrs={"rows": 8, "class": "mono"}),
            "solution": forms.Textarea(attrs={"rows": 20, "class": "mono"}),
        }
        help_texts: ClassVar[dict[str, Any]] = {"title": _("Code first, then the symptom in words.")}

    def clean_problem(self) -> str:
        return self._written("problem")

    def clean_solution(self) -> str:
        return self._written("solution")

    def _written(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        if is_untouched(name, text):
            raise forms.ValidationError(_("This is still the outline. Fill it in, and delete what you do not need."))
        return text

    def facts(self) -> dict[str, Any]:
        """The cleaned values as the services of knowledge.entries take them."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}


class VoteForm(forms.Form):
    """Whether an entry solved the problem, and if wanted how well."""

    worked = forms.TypedChoiceField(
        choices=[("yes", _("It worked")), ("no", _("It did not"))], coerce=lambda value: value == "yes"
    )
    rating = forms.TypedChoiceField(
        choices=[("", "–"), *((str(stars), str(stars)) for stars in range(5, 0, -1))],
        coerce=int,
        empty_value=None,
        required=False,
    )
    comment = forms.CharField(max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 3}))

    def facts(self) -> dict[str, Any]:
        """The cleaned values as feedback_give takes them."""
        return {
            "worked": self.cleaned_data["worked"],
            "rating": self.cleaned_data["rating"],
            "comment": self.cleaned_data["comment"],
        }


class FlagForm(forms.Form):
    """What is wrong with an entry."""

    reason = forms.ChoiceField(label=_("What is wrong?"), choices=[("", "–"), *FlagReason.choices])
    comment = forms.CharField(
        label=_("What should it say?"), max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
