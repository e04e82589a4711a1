package check

import "testing"

func TestATallySumsEachFigure(t *testing.T) {
	sum := Tally{1, 2, 3, 4, 5, 6, 7, 8, 9}
	sum.Add(Tally{10, 20, 30, 40, 50, 60, 70, 80, 90})
	if want := (Tally{11, 22, 33, 44, 55, 66, 77, 88, 99}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}
