# zig cc brings along the headers and libraries of systems that are not at hand.
ZIG_VERSION := 0.15.2
ZIG_DIR := $(BUILD)/zig-$(ZIG_VERSION)
ZIG := $(ZIG_DIR)/bin/python -m ziglang
ZIG_ENV := ZIG_GLOBAL_CACHE_DIR=$(BUILD)/zig-cache ZIG_LOCAL_CACHE_DIR=$(BUILD)/zig-cache

$(ZIG_DIR)/installed:
	python3 -m venv $(@D)
	timeout 300 $(@D)/bin/pip install --quiet --disable-pip-version-check ziglang==$(ZIG_VERSION)
	touch $@
