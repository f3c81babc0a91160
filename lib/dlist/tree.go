package dlist

// Value is a node of a tree.
type Value struct {
	Kind Kind
	Text string   // of Text
	Keys []string // of Keyed, one for each of List
	List []Value  // of List and Keyed
}

// Get returns the value of the first such key of a keyed list.
func (v *Value) Get(key string) (*Value, bool) {
	for i, k := range v.Keys {
		if k == key {
			return &v.List[i], true
		}
	}
	return nil, false
}

// Parse reads one value, which must be all of b.
func Parse(b []byte) (Value, error) {
	s := Scan(b)
	v, err := s.Value()
	if err == nil && !s.AtEnd() {
		err = s.fail("more data")
	}
	return v, err
}

// Value reads the value that stands next.
func (s *Scanner) Value() (Value, error) { return s.value(0) }

func (s *Scanner) value(depth int) (v Value, err error) {
	if depth > MaxDepth {
		return v, s.fail("too deep")
	}
	if v.Kind, err = s.Kind(); err != nil {
		return v, err
	}
	switch v.Kind {
	case File:
		return Value{}, s.fail("a file in a tree")
	case Nil, Text:
		t, err := s.Text()
		v.Text = string(t)
		return v, err
	}
	keyed, err := s.Open()
	if err != nil {
		return v, err
	}
	for !s.Close() {
		if keyed {
			k, err := s.Text()
			if err != nil {
				return v, err
			}
			v.Keys = append(v.Keys, string(k))
		}
		item, err := s.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.List = append(v.List, item)
	}
	return v, nil
}

// Append appends v as Cyrus writes it.
func (v *Value) Append(dst []byte) []byte {
	switch v.Kind {
	case Nil:
		return append(dst, "NIL"...)
	case Text:
		return AppendString(dst, v.Text)
	case Keyed:
		dst = append(dst, '%')
	}
	dst = append(dst, '(')
	for i := range v.List {
		if i > 0 {
			dst = append(dst, ' ')
		}
		if v.Kind == Keyed {
			dst = append(AppendString(dst, v.Keys[i]), ' ')
		}
		dst = v.List[i].Append(dst)
	}
	return append(dst, ')')
}

// Printed is Append to nothing.
func (v *Value) Printed() string { return string(v.Append(nil)) }
