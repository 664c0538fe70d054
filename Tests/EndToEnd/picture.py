"""Draws a terminal or a row of stations as SVG, without a font or a script of its own."""

import html

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
WIDTH_OF_LETTER, HEIGHT_OF_LINE, EDGE = 8.4, 21, 24
INK, DIM, GREEN, RED, PAPER = "#e6edf3", "#8b949e", "#7ee787", "#ff7b72", "#0d1117"


def terminal(lines, title):
    """`lines`: pairs of text and colour."""
    width = max(len(text) for text, _ in lines) * WIDTH_OF_LETTER + 2 * EDGE
    height = len(lines) * HEIGHT_OF_LINE + 2 * EDGE
    rows = [text_at(EDGE, EDGE + (number + 0.75) * HEIGHT_OF_LINE, text, colour)
            for number, (text, colour) in enumerate(lines)]
    return svg(width, height, title, rows)


def stations(names, notes, title):
    """A way from left to right; under each station the lines of its note."""
    step, box = 176, 136
    width = step * (len(names) - 1) + box + 2 * EDGE
    height = 2 * EDGE + 44 + 10 + max(len(note) for note in notes) * HEIGHT_OF_LINE
    parts = []
    for number, (name, note) in enumerate(zip(names, notes)):
        left = EDGE + number * step
        parts.append(f'<rect x="{left}" y="{EDGE}" width="{box}" height="44" rx="8" fill="none" stroke="{GREEN}"/>')
        parts.append(text_at(left + box / 2, EDGE + 27, name, INK, anchor="middle"))
        if number:
            parts.append(f'<path d="M{left - step + box + 4} {EDGE + 22}H{left - 6}" stroke="{DIM}" '
                         f'marker-end="url(#tip)"/>')
        for line, text in enumerate(note):
            parts.append(text_at(left + box / 2, EDGE + 44 + 24 + line * HEIGHT_OF_LINE, text, DIM, 12, "middle"))
    tip = ('<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
           f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{DIM}"/></marker></defs>')
    return svg(width, height, title, [tip] + parts)


def text_at(x, y, text, colour, size=14, anchor="start"):
    return (f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" '
            f'xml:space="preserve">{html.escape(text)}</text>')


def svg(width, height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" role="img">\n'
            f"<title>{html.escape(title)}</title>\n"
            f'<rect width="100%" height="100%" rx="10" fill="{PAPER}"/>\n' + "\n".join(parts) + "\n</svg>\n")
