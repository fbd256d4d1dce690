// Base class of teachers (retort.teacher/1).
#pragma once

#include <retort/abi/teacher.h>

#include <retort/component.hpp>

namespace retort {

class Teacher : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_TEACHER_INTERFACE;
  /// JSON array of requests → JSON array of responses, as retort/abi/teacher.h defines them.
  virtual std::string complete(std::string_view requests) = 0;

  const void* table(std::string_view id) const final {
    static const retort_teacher_v1 functions = {sizeof(retort_teacher_v1), 0, &abi_complete};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_complete(retort_instance* instance, retort_string requests,
                                    const retort_text_sink* responses) {
    return detail::guarded(
        [&] { detail::write(responses, detail::self<Teacher>(instance).complete(to_view(requests))); });
  }
};

}  // namespace retort
