package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/internal/words"
)

// widestColumnName is the longest name that a column can have as its head. Longer names are
// replaced by a letter and explained below the matrix.
const widestColumnName = 8

// matrixRow is one scenario; Cells has a result for each column, or nil.
type matrixRow struct {
	ID, Title string
	Number    int
	Cells     []*Result
}

// rows arranges the results by number, and then in the order of the report. Two results for
// one cell get two rows, so that neither hides the other.
func (r Report) rows() []matrixRow {
	columns := r.columns()
	var rows []matrixRow
	for i := range r.Results {
		result := &r.Results[i]
		column := slices.Index(columns, result.Column)
		at := slices.IndexFunc(rows, func(row matrixRow) bool {
			return row.ID == result.ID && row.Cells[column] == nil
		})
		if at < 0 {
			at = len(rows)
			rows = append(rows, matrixRow{result.ID, result.Title, result.Row, make([]*Result, len(columns))})
		}
		rows[at].Cells[column] = result
	}
	slices.SortStableFunc(rows, func(a, b matrixRow) int { return cmp.Compare(a.Number, b.Number) })
	return rows
}

// Matrix writes scenarios as rows and targets as columns, then a legend and the results that
// differ from their expectation.
func Matrix(w io.Writer, r Report, s Style) error {
	out := bufio.NewWriter(w)
	if len(r.Results) == 0 {
		fmt.Fprintln(out, r.headline())
		return out.Flush()
	}
	stem, heads, spelled := columnHeads(r.columns())
	labels := textWidth("scenario")
	widths := make([]int, len(heads))
	for i, head := range heads {
		widths[i] = textWidth(head)
	}
	rows := r.rows()
	for _, row := range rows {
		labels = max(labels, min(34, textWidth(row.label())))
		for i, result := range row.Cells {
			widths[i] = max(widths[i], textWidth(cellText(result)))
		}
	}
	writeHead(out, s, stem, heads, labels, widths)
	for _, row := range rows {
		writeRow(out, s, row, labels, widths)
	}
	writeLegend(out, s, spelled)
	writeUnexpected(out, r, s)
	return out.Flush()
}

func (row matrixRow) label() string {
	if row.Number > 0 {
		return fmt.Sprintf("%2d %s", row.Number, Visible(row.ID))
	}
	return Visible(row.ID)
}

func cellText(result *Result) string {
	if result == nil {
		return notRunMark
	}
	return result.cell()
}

// columnHeads shortens the names of the columns. A first word that all share (the stem) is
// written once, and names that are still too long become letters, which spelled explains.
func columnHeads(names []string) (stem string, heads, spelled []string) {
	for _, name := range names {
		heads = append(heads, Visible(name))
	}
	if first, _, ok := strings.Cut(heads[0], " "); ok && len(heads) > 1 {
		if !slices.ContainsFunc(heads, func(h string) bool { return !strings.HasPrefix(h, first+" ") }) {
			stem = first
			for i := range heads {
				heads[i] = strings.TrimPrefix(heads[i], first+" ")
			}
		}
	}
	for i, head := range heads {
		if textWidth(head) > widestColumnName && i < 26 {
			heads[i] = string(rune('A' + i))
			spelled = append(spelled, heads[i]+" is "+Visible(names[i]))
		}
	}
	return stem, heads, spelled
}

func writeHead(out io.Writer, s Style, stem string, heads []string, labels int, widths []int) {
	line := pad("scenario", labels)
	if stem != "" {
		line = pad("scenario", labels-textWidth(stem)) + stem
	}
	for i, head := range heads {
		line += "  " + pad(head, widths[i])
	}
	fmt.Fprintln(out, s.paint(bold, strings.TrimRight(line, " ")))
}

func writeRow(out io.Writer, s Style, row matrixRow, labels int, widths []int) {
	line := pad(Clip(row.label(), labels), labels)
	used := labels
	for i, result := range row.Cells {
		text := pad(cellText(result), widths[i])
		used += 2 + textWidth(text)
		switch {
		case result == nil || result.Outcome() == check.Unsupported && result.AsExpected():
			text = s.paint(faint, text)
		case result.Outcome() == check.Inconclusive:
			text = s.paint(yellow, text)
		case !result.AsExpected():
			text = s.paint(red, text)
		case result.isExactlyOnce():
			text = s.paint(green, text)
		}
		line += "  " + text
	}
	// The title is shown only if a useful part of it fits.
	if room := s.columns() - used - 3; room >= 24 {
		line += "   " + s.paint(faint, Clip(Visible(row.Title), room))
	}
	fmt.Fprintln(out, strings.TrimRight(line, " "))
}

func writeLegend(out io.Writer, s Style, spelled []string) {
	legend := fmt.Sprintf("%s exactly once, L lost, D duplicated, R reordered, X another rule broken, "+
		"%s before them: not promised at the level of the column, %s does not apply, %s inconclusive, %s not run, ! not as expected",
		passMark, shouldMark, unsupportedMark, inconclusiveMark, notRunMark)
	fmt.Fprintln(out)
	for _, line := range append(Wrap(legend, s.columns()), spelled...) {
		fmt.Fprintln(out, line)
	}
}

func writeUnexpected(out io.Writer, r Report, s Style) {
	unexpected := r.Unexpected()
	if len(unexpected) == 0 {
		fmt.Fprintln(out, "\nEvery cell is as expected.")
		return
	}
	fmt.Fprintf(out, "\nNot as expected: %d of %s\n", len(unexpected), words.Count(len(r.Results), "cell"))
	for _, result := range unexpected {
		writeItem(out, s, fmt.Sprintf("%s: expected %s; observed %s",
			r.label(result), result.expectedWords(), result.observedWords()))
		if result.Replay != "" {
			writeItem(out, s, "  replay: "+Visible(result.Replay))
		}
	}
}
