package acl

import (
	"errors"
	"testing"
)

func TestSet(t *testing.T) {
	const list = "fred\tlrs\tanyone\tlr\t"
	for _, tc := range []struct {
		name, id string
		mode     Mode
		rights   string
		want     string
		err      error
	}{
		{"new at the end", "jane", Replace, "lr", list + "jane\tlr\t", nil},
		{"changed in place", "fred", Replace, "l", "fred\tl\tanyone\tlr\t", nil},
		{"added", "fred", Add, "w", "fred\tlrsw\tanyone\tlr\t", nil},
		{"added to nobody", "jane", Add, "w", list + "jane\tw\t", nil},
		{"taken", "fred", Remove, "s", "fred\tlr\tanyone\tlr\t", nil},
		{"all taken", "fred", Remove, "lrsw", "anyone\tlr\t", nil},
		{"taken from nobody", "jane", Remove, "l", list, nil},
		{"emptied", "anyone", Replace, "", "fred\tlrs\t", nil},
		{"denial is its own entry", "-fred", Replace, "s", list + "-fred\ts\t", nil},
		{"macro letters", "jane", Replace, "cd", list + "jane\tkxtecd\t", nil},
		{"tab", "a\tb", Replace, "l", list, ErrIdentifier},
		{"empty", "", Replace, "l", list, ErrIdentifier},
		{"nobody denied", "-", Replace, "l", list, ErrIdentifier},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Parse(tc.rights)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Set(list, tc.id, tc.mode, r)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
		})
	}
	if got, err := Delete(list, "fred"); got != "anyone\tlr\t" || err != nil {
		t.Errorf("Delete: %q, %v", got, err)
	}
}

// A denial beats every grant, whichever comes first.
func TestDenial(t *testing.T) {
	const list = "-bob\tw\tgroup:staff\tlrw\tbob\tlrsw\t"
	if got := My(list, oneOf("bob group:staff anyone")); got.String() != "lrs" {
		t.Errorf("got %q", got)
	}
}

func TestDeleteRight(t *testing.T) {
	for _, tc := range []struct {
		right byte
		in    string
		want  Rights
	}{
		{'c', "lc", Lookup | Create | DeleteBox},
		{'d', "ld", Lookup | DeleteMsg | Expunge | DeleteBox},
		{'d', "lc", Lookup | Create},
		{'a', "la", Lookup | Admin | DeleteBox},
	} {
		if got, err := ParseDelete(tc.in, tc.right); got != tc.want || err != nil {
			t.Errorf("ParseDelete(%q, %c) = %v, %v; want %v", tc.in, tc.right, got, err, tc.want)
		}
	}
}

// FuzzSet checks that an edited list still reads entry by entry.
func FuzzSet(f *testing.F) {
	f.Add("fred\tlrs\t", "jane", "lr")
	f.Fuzz(func(t *testing.T, list, id, rights string) {
		r, _ := Parse(rights)
		got, err := Set(list, id, Replace, r)
		if err != nil {
			return
		}
		var last Rights
		for i, s := range Entries(got) {
			if i == id {
				last, _ = Parse(s)
				break
			}
		}
		if last != r {
			t.Errorf("%q gets %v in %q", id, last, got)
		}
	})
}
