package exampletest

import "golang.org/x/sys/windows"

// UnderWine says whether the system is Wine and no Windows.
func UnderWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
