// One training of every kind, as it must come out the same in several processes and on any device.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "policy_fixture.h"

namespace retort::train::testing {

struct CaseOptions {
  std::string device = "cpu";
  std::function<void(TrainingOptions&)> change;
  std::function<void(FineTuningJob&)> change_tuning;   ///< of "fine_tuning"
  std::function<void(std::int64_t step)> before_step;  ///< likewise
  std::int64_t stop_before = -1, kill_after = -1;      ///< as Recorder's
};

/// Runs "fine_tuning", "rollouts", "refill" (groups left out and others asked in their place), "pairs", "samples",
/// "distillation" (half of it of the student's own answers) or "states" (hidden states with a trained projection) in
/// the folder `name` of the place; the last two learn from the model in its "teacher/output". Returns every metric but
/// those of time, by name and step.
nlohmann::json run_case(const std::string& which, const Workplace& place, const std::string& name,
                        const CaseOptions& options = {});

/// |a − b| ≤ 1e-5 in every number, and of its size where that is above 1.
void expect_all_near(const nlohmann::json& a, const nlohmann::json& b, const std::string& where);

/// Of any weight of two model folders.
double largest_difference(const fs::path& one, const fs::path& other);

}  // namespace retort::train::testing
