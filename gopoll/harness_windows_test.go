package gopoll

import "golang.org/x/sys/windows"

// underWine says whether the system is Wine and no Windows.
func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
