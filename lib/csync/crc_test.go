package csync

import (
	"encoding/json"
	"os"
	"testing"

	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
)

// vector is a mailbox with the CRCs that a real server gave it.
type vector struct {
	Name         string
	SyncCRC      uint32 `json:"sync_crc"`
	SyncCRCAnnot uint32 `json:"sync_crc_annot"`
	Records      []struct {
		UID          uint32
		ModSeq       uint64
		LastUpdated  uint32 `json:"last_updated"`
		Flags        []string
		InternalDate uint32
		GUID         string
		Basic, Annot uint32
		Annotations  []struct{ Entry, UserID, Value string }
	}
}

func vectors(t *testing.T) []vector {
	data, err := os.ReadFile("testdata/crc_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

// TestCRCVectors: records of real servers, over the wire and into the form in
// which they are stored, have the CRCs that those servers gave them; and what is
// stored goes back over the wire the same.
func TestCRCVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			var names []string
			crcs := new(indexfile.FlagCRCs)
			basic, annot := uint32(indexfile.SyncCRCStart), uint32(indexfile.SyncCRCAnnotStart)
			for i := range v.Records {
				in := wireRecord(t, &v, i)
				rec, stored := storedRecord(t, in, &names, crcs)
				b := crcs.Basic(rec)
				a := indexfile.Virtual(rec, 19)
				if rec.Flags&indexfile.Expunged == 0 {
					for _, s := range stored {
						a ^= indexfile.AnnotCRC(rec.UID, s.Entry, s.UserID, s.Value)
					}
				}
				if b != v.Records[i].Basic || a != v.Records[i].Annot {
					t.Errorf("UID %d: %d, %d; want %d, %d", rec.UID, b, a, v.Records[i].Basic, v.Records[i].Annot)
				}
				basic, annot = basic^b, annot^a

				back := Record{Annotations: stored}
				back.SetIndex(rec, names)
				if got, want := string(back.Append(nil, FromServer)), string(in.Append(nil, FromServer)); got != want {
					t.Errorf("UID %d goes back as %s\nwant %s", rec.UID, got, want)
				}
			}
			if basic != v.SyncCRC || annot != v.SyncCRCAnnot {
				t.Errorf("CRCs %d, %d; want %d, %d", basic, annot, v.SyncCRC, v.SyncCRCAnnot)
			}
		})
	}
}

// wireRecord writes a record of a vector and reads it.
func wireRecord(t *testing.T, v *vector, i int) *Record {
	w := v.Records[i]
	id, err := guid.Parse(w.GUID)
	if err != nil {
		t.Fatal(err)
	}
	r := Record{UID: w.UID, ModSeq: w.ModSeq, LastUpdated: w.LastUpdated, Flags: w.Flags, InternalDate: w.InternalDate, GUID: id}
	for _, a := range w.Annotations {
		value := a.Value
		if a.Entry == entryThrID { // the vectors have the CRC's form, the wire sixteen digits
			for len(value) < 16 {
				value = "0" + value
			}
		}
		r.Annotations = append(r.Annotations, Annotation{Entry: a.Entry, UserID: a.UserID, Value: []byte(value)})
	}
	m := Mailbox{HasRecords: true, Records: RecordsOf([]Record{r})}
	got, err := ParseMailbox(m.Append(nil, FromClient))
	if err != nil || got.Records.Len() != 1 {
		t.Fatalf("UID %d: %v", w.UID, err)
	}
	return &got.Records.List()[0]
}

// storedRecord makes an index record of r, giving each new keyword a slot.
func storedRecord(t *testing.T, r *Record, names *[]string, crcs *indexfile.FlagCRCs) (*indexfile.Record, []Annotation) {
	rec := &indexfile.Record{UID: r.UID, ModSeq: r.ModSeq, LastUpdated: r.LastUpdated, InternalDate: r.InternalDate, GUID: r.GUID}
	for _, f := range r.Flags {
		if bit, ok := SystemFlag(f); ok {
			rec.Flags |= bit
			continue
		}
		slot := -1
		for i, n := range *names {
			if n == f {
				slot = i
			}
		}
		if slot < 0 {
			slot = len(*names)
			*names = append(*names, f)
			crcs.SetName(slot, f)
		}
		rec.UserFlags.Set(slot, true)
	}
	stored, s, err := TakeSynthetic(append([]Annotation(nil), r.Annotations...))
	if err != nil {
		t.Fatal(err)
	}
	rec.CID, rec.SaveDate, rec.CreatedModSeq = s.CID, s.SaveDate, s.CreatedModSeq
	return rec, stored
}
