// The ABI headers and the C++ layer in one strict translation unit; built as C++17 and as C++20.
#include <retort/abi/layout.h>

#include <retort/sdk.hpp>
#include <type_traits>

static_assert(std::is_standard_layout_v<retort_plugin_entry> && std::is_trivially_copyable_v<retort_plugin_entry>);
static_assert(std::is_standard_layout_v<retort_host> && std::is_trivially_copyable_v<retort_host>);
static_assert(std::is_standard_layout_v<retort_tensor> && std::is_trivially_copyable_v<retort_tensor>);

#define JOIN(a, b) a##b
#define NAME(standard) JOIN(retort_abi_cpp_sizes_, standard)
unsigned long NAME(RETORT_TEST_STANDARD)();
unsigned long NAME(RETORT_TEST_STANDARD)() {
  return sizeof(retort_plugin_entry) + sizeof(retort_host);
}
