// Base class of teachers (retort.teacher/1), and a teacher that stands in a slot.
#pragma once

#include <retort/abi/teacher.h>

#include <retort/component.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace retort {

/// JSON texts; retort/abi/teacher.h says what is in them.
struct TeacherBatch {
  std::string_view tools;     ///< of every request without its own; may be empty
  std::string_view requests;  ///< array
};

class Teacher : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_TEACHER_INTERFACE;
  /// An item a request: {"choices": […], "usage"?} or {"error": reason}, each as soon as it is known.
  virtual void complete(const TeacherBatch& batch, const ItemSink& responses) = 0;
  /// Whether score() is offered; the same for every instance of the class.
  virtual void score(const TeacherBatch& /*batch*/, const ItemSink& /*scores*/) {
    throw std::invalid_argument("this teacher does not score continuations");
  }

  const void* table(std::string_view id) const final {
    static const retort_teacher_v1 functions = {RETORT_TEACHER_V1_SIZE, 0, &abi_complete, &abi_score};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_complete(retort_instance* instance, const retort_teacher_batch* batch,
                                    const retort_item_sink* responses) {
    return detail::guarded([&] {
      detail::self<Teacher>(instance).complete({to_view(batch->tools), to_view(batch->requests)}, ItemSink(*responses));
    });
  }
  static retort_error* abi_score(retort_instance* instance, const retort_teacher_batch* batch,
                                 const retort_item_sink* scores) {
    return detail::guarded([&] {
      detail::self<Teacher>(instance).score({to_view(batch->tools), to_view(batch->requests)}, ItemSink(*scores));
    });
  }
};

/// A teacher in a slot, as a stage or a reward uses it.
class TeacherSlot {
 public:
  using Take = detail::ItemsInto::Take;
  explicit TeacherSlot(BoundComponent component) : component_(std::move(component)) {}
  /// Calls take(index, item) for every answer as it comes. Throws what the teacher says of the batch, or take threw.
  void complete(const TeacherBatch& batch, Take take) const {
    call(component_.functions<retort_teacher_v1>().complete, batch, std::move(take));
  }
  bool can_score() const { return component_.functions<retort_teacher_v1>().score != nullptr; }
  void score(const TeacherBatch& batch, Take take) const {
    call(component_.functions<retort_teacher_v1>().score, batch, std::move(take));
  }
  std::string_view id() const { return component_.id(); }

 private:
  using Function = retort_error* (*)(retort_instance*, const retort_teacher_batch*, const retort_item_sink*);
  void call(Function function, const TeacherBatch& batch, Take take) const {
    const detail::ItemsInto items(std::move(take));
    const retort_teacher_batch abi{sizeof(retort_teacher_batch), 0, to_abi(batch.tools), to_abi(batch.requests)};
    retort_error* error = function(component_.instance(), &abi, items.sink());
    throw_if_error(error);
    items.rethrow();
  }
  BoundComponent component_;
};

}  // namespace retort
