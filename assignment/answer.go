package assignment

import "strconv"

// AppendAnswer appends the result as OFREP's evaluationSuccess object. What is
// the same for every unit was rendered when the Snapshot was compiled.
func (r *Result) AppendAnswer(b []byte) []byte {
	b = append(b, r.from.head...)
	if r.Cause == CauseHoldout {
		b = append(b, `,"holdout":"`...) // a key needs no escaping: ValidKey
		b = append(b, r.held.key...)
		b = append(b, '"')
	}
	hashed := r.Cause.hashed()
	if hashed || r.Cause == CauseSlots {
		b = append(b, `,"slot":`...)
		b = strconv.AppendInt(b, int64(r.Slot), 10)
	}
	if hashed {
		b = append(b, `,"position":`...)
		b = strconv.AppendInt(b, int64(r.Position), 10)
	}
	b = append(b, `,"cause":"`...)
	b = append(b, r.Cause.String()...)
	b = append(b, `","assigned":`...)
	b = strconv.AppendBool(b, r.Assigned)
	b = append(b, `},"reason":"`...)
	b = append(b, r.Reason...)
	return append(b, `"}`...)
}
