package message

import "testing"

const sampleHeader = "Return-Path: <a@b>\r\nsubject: one\r\n two\r\nFrom : x\r\nno colon\r\nSUBJECT: again\r\nTo: y\r\n\r\nSubject: body\r\n"

func TestFields(t *testing.T) {
	for _, tc := range []struct {
		name  string
		names []string
		not   bool
		max   int
		want  string
	}{
		{"all of a name, with folds", []string{"Subject"}, false, 0, "subject: one\r\n two\r\nSUBJECT: again\r\n"},
		{"several, in message order", []string{"to", "return-path"}, false, 0, "Return-Path: <a@b>\r\nTo: y\r\n"},
		{"white space is part of a name", []string{"From"}, false, 0, ""},
		{"not", []string{"subject", "to"}, true, 0, "Return-Path: <a@b>\r\nFrom : x\r\n"},
		{"the limit counts fields", []string{"subject"}, false, 2, "subject: one\r\n two\r\n"},
		{"no name", nil, false, 0, ""},
		{"not no name", nil, true, 1, "Return-Path: <a@b>\r\nsubject: one\r\n two\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := NewFields(tc.names, tc.not, tc.max).Append(nil, []byte(sampleHeader))
			if string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFieldsAllocate(t *testing.T) {
	f := NewFields([]string{"Subject", "To"}, false, 1000)
	dst := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { dst = f.Append(dst[:0], []byte(sampleHeader)) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestValue(t *testing.T) {
	for name, want := range map[string]string{"Subject": "one\r\n two", "to": "y", "Cc": "", "from": ""} {
		if got := Value([]byte(sampleHeader), name); string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if v := Value([]byte("A:\r\nB: x\r\n"), "a"); v == nil || len(v) != 0 {
		t.Errorf("an empty field is %q", v)
	}
}
