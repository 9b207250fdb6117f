"""Editions become letters. Enters: template texts, a publication, editions. Leaves: Pages with tags.

``skeleton.compile_skeleton(sources, publication)`` -> Skeleton: once per version; finds every template fault
``page.render_page(edition, skeleton)`` -> Page: subject, preheader, HTML (<= 80 kB) and text, with tags
``notice.render_notice(kind, facts, skeleton)`` -> Page: the ten kinds of notice that ``RunKind`` names
``tags.values_for(...)`` and ``tags.fill(page, values)``: one reader's values, one literal pass over the page
``tags.neutral(page, base_url)`` -> Page: what view-in-browser shows, no link hands over an account
``lint.lint(page)`` -> findings: size, contrast, headings, links, parity and more, with place and mend

Must never: read a disk, a clock or the network; evaluate content as template; render content per reader.
"""
