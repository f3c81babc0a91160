package annotate

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"testing"

	"gocyrus/lib/cyrusdb/kvtest"
)

// A record that Cyrus 3.6.1 wrote.
func TestRealRecord(t *testing.T) {
	const real = "0000000d00000000" + "616c6963652070726976617465" + "00" + "746578742f706c61696e" + "00" + "0000000000000000" + "0000000000000000" + "00"
	b, err := hex.DecodeString(real)
	if err != nil {
		t.Fatal(err)
	}
	v, err := decode(b)
	if err != nil || string(v.Data) != "alice private" || v.ModSeq != 0 || v.Deleted {
		t.Errorf("decode: %+v, %v", v, err)
	}
	if got := encode(Value{Data: []byte("alice private")}); !bytes.Equal(got, b) {
		t.Errorf("encode: %x", got)
	}
}

func TestDamagedRecords(t *testing.T) {
	for _, bad := range []string{"", "00", "0000000500000000", "00000005000000006162", "ffffffff0000000061"} {
		b, _ := hex.DecodeString(bad)
		if v, err := decode(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %+v, %v", bad, v, err)
		}
	}
}

func TestDB(t *testing.T) {
	mem := kvtest.With(map[string]string{"$VERSION": "1"})
	d := NewDB(mem)
	sent := Key{"id1", SpecialUse, UserOf("alice", "alice")}
	bob := Key{"id1", "/comment", UserOf("bob", "alice")}
	msg := Key{Message(7), "/comment", ""}
	err := d.Apply(
		Change{Key: sent, Data: []byte(`\Sent`)},
		Change{Key: bob, Data: []byte("")},
		Change{Key: msg, Data: []byte("x"), ModSeq: 5},
		Change{Key: Key{"id10", "/comment", ""}, Data: []byte("other")},
		Change{Key: Key{Server, "/motd", ""}, Data: []byte("hello")},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := mem.Rows()["id1\x00/specialuse\x00[.OwNeR.]\x00"]; !ok {
		t.Errorf("rows %q", mem.Rows())
	}
	if v, ok, err := d.Get(sent); string(v.Data) != `\Sent` || !ok || err != nil {
		t.Errorf("Get: %+v %v %v", v, ok, err)
	}
	var each []string
	err = d.GetEach([]Key{msg, {"id1", "/none", ""}, sent}, func(i int, v Value) error {
		each = append(each, strconv.Itoa(i)+string(v.Data))
		return nil
	})
	if err != nil || !slices.Equal(each, []string{"0x", `2\Sent`}) {
		t.Errorf("GetEach: %q, %v", each, err)
	}
	if v, ok, err := d.Get(bob); len(v.Data) != 0 || !ok || err != nil {
		t.Errorf("an empty value is a value: %+v %v %v", v, ok, err)
	}
	if err := d.Apply(Change{Key: msg, Tombstone: true, ModSeq: 6}, Change{Key: bob}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := d.Get(msg); ok || err != nil {
		t.Errorf("tombstone is no value: %v %v", ok, err)
	}
	count := func(scope string) (n int, last Value) {
		if err := d.Scan(scope, func(_ Key, v Value) error { n++; last = v; return nil }); err != nil {
			t.Error(err)
		}
		return n, last
	}
	if n, v := count(Message(7)); n != 1 || !v.Deleted || v.ModSeq != 6 {
		t.Errorf("tombstone: %d, %+v", n, v)
	}
	if n, _ := count("id1"); n != 1 {
		t.Errorf("id1 has %d", n)
	}
	if err := d.Drop("id1", Message(7)); err != nil {
		t.Fatal(err)
	}
	if n, _ := count("id1"); n != 0 {
		t.Errorf("id1 has %d after Drop", n)
	}
	total := 0
	if err := d.All(func(Key, Value) error { total++; return nil }); total != 2 || err != nil {
		t.Errorf("All: %d, %v", total, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encode(Value{Data: []byte("x"), ModSeq: 3, Deleted: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(encode(v))
		if err != nil || !bytes.Equal(again.Data, v.Data) || again.ModSeq != v.ModSeq || again.Deleted != v.Deleted {
			t.Errorf("%x: %+v, then %+v, %v", b, v, again, err)
		}
	})
}
