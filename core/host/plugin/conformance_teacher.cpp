// retort.teacher/1. Teachers are never asked anything that can be answered: that may cost money and needs a network.
// Answers are checked where stages get them (host/algorithm/teacher_call.h).
#include "host/algorithm/teacher_call.h"
#include "host/plugin/conformance_checks.h"

namespace retort::host {
namespace {

using Function = void (TeacherCall::*)(std::string_view, std::string_view, std::size_t, const TeacherCall::Take&) const;

void check_no_requests(const TeacherCall& teacher, Function function) {
  (teacher.*function)("", "[]", 0, [](std::size_t, const Json&) {});
}

void check_not_json(const TeacherCall& teacher, Function function) {
  try {
    (teacher.*function)("", "[{", 1, [](std::size_t, const Json&) {});
  } catch (const std::invalid_argument&) {
    return;
  }
  throw CheckFailed{"text that is not JSON was accepted"};
}

/// Things that are no requests, so that none of them can be sent anywhere.
void check_bad_requests(const TeacherCall& teacher, Function function) {
  constexpr std::size_t count = 3;
  (teacher.*function)("", R"([7, {}, {"messages": 7}])", count, [](std::size_t index, const Json& item) {
    expect(item.contains("error"),
           "request " + std::to_string(index) +
               R"( of [7, {}, {"messages": 7}] was answered: expected {"error": reason}, found )" + item.dump());
  });
}

void check_function(CheckLog& log, const Subject& subject, const TeacherCall& teacher, Function function,
                    const std::string& name) {
  log.run(subject.id, name + "no requests give no items", [&] { check_no_requests(teacher, function); });
  log.run(subject.id, name + "requests that are not JSON are refused", [&] { check_not_json(teacher, function); });
  log.run(subject.id, name + "a request that cannot be read is an error of its item",
          [&] { check_bad_requests(teacher, function); });
}

/// The C++ layer's table always has score(); a class that does not override it refuses whatever it is asked.
bool scores(const TeacherCall& teacher) {
  if (!teacher.can_score()) return false;
  try {
    check_no_requests(teacher, &TeacherCall::score);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace

void check_teacher(CheckLog& log, const Subject& subject) {
  const TeacherCall teacher(subject.id, subject.instance, subject.functions<retort_teacher_v1>());
  check_function(log, subject, teacher, &TeacherCall::complete, "");
  if (scores(teacher)) check_function(log, subject, teacher, &TeacherCall::score, "score(): ");
}

}  // namespace retort::host
