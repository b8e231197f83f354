package stats

// kimDeMetsPower is the exponent of the spending function alpha t^2: between
// Pocock's, which is nearly linear, and O'Brien and Fleming's, which is nearly
// t^3 at usual levels and flatter at first.
const kimDeMetsPower = 2

// NamedSpending returns the spending function that plans of experiments know by a
// name, and its shape: "obrien_fleming", which an empty name means too, "pocock",
// or "kim_demets", which is alpha t^2. ok is false for any other name.
func NamedSpending(name string) (kind GSTKind, shape float64, ok bool) {
	switch name {
	case "", "obrien_fleming":
		return SpendOBrienFleming, 0, true
	case "pocock":
		return SpendPocock, 0, true
	case "kim_demets":
		return SpendPower, kimDeMetsPower, true
	}
	return "", 0, false
}
