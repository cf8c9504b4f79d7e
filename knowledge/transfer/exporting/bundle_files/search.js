/* Search of an offline bundle: every word has to be in an entry; words of the title count most. */
"use strict";

(function () {
  var MOST = 50;
  var box = document.getElementById("query");
  var list = document.getElementById("results");
  var said = document.getElementById("said");
  var entries = window.KB_ENTRIES || [];

  function folded(text) {
    return text.toLowerCase().normalize("NFKC");
  }

  var texts = entries.map(function (entry) {
    return [folded(entry.t), folded(entry.c + " " + entry.g), folded(entry.p)];
  });

  function score(text, words) {
    var total = 0;
    for (var at = 0; at < words.length; at += 1) {
      var found = text[0].indexOf(words[at]) >= 0 ? 4 : 0;
      found += text[1].indexOf(words[at]) >= 0 ? 3 : 0;
      found += text[2].indexOf(words[at]) >= 0 ? 1 : 0;
      if (!found) {
        return 0;
      }
      total += found;
    }
    return total;
  }

  function line(entry) {
    var item = document.createElement("li");
    var link = document.createElement("a");
    link.href = entry.u;
    link.textContent = entry.t;
    var more = document.createElement("p");
    more.textContent = [entry.c, entry.p].filter(Boolean).join(" · ");
    item.append(link, more);
    return item;
  }

  function search() {
    var words = folded(box.value).split(/\s+/).filter(Boolean);
    var hits = [];
    for (var at = 0; words.length && at < entries.length; at += 1) {
      var points = score(texts[at], words);
      if (points) {
        hits.push([points, at]);
      }
    }
    hits.sort(function (one, other) {
      return other[0] - one[0] || one[1] - other[1];
    });
    list.replaceChildren.apply(list, hits.slice(0, MOST).map(function (hit) {
      return line(entries[hit[1]]);
    }));
    said.textContent = words.length ? said.dataset.found.replace("{n}", hits.length) : "";
  }

  document.getElementById("search").hidden = false;
  box.addEventListener("input", search);
  search();
})();
