#include "graph/joint_launches.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t list_alignment = 256;
constexpr int64_t most_planes = 65535;

}  // namespace

JointLaunches::JointLaunches(std::vector<std::vector<LaunchNote>> notes) : notes_(std::move(notes)) {
    const size_t count = notes_.front().size();
    for (const auto& list : notes_) {
        if (list.size() != count)
            throw Error(Status::internal, "the steps of the models consist of other launches");
    }
    for (size_t i = 0; i < count; ++i) {
        steps_.push_back(groups_of(i));
        for (Group& group : steps_.back()) {
            if (group.models.size() == 1) continue;
            group.offset = argument_bytes_;
            const size_t bytes = group.models.size() * note(i, group).kernel->argument_bytes;
            argument_bytes_ += (bytes + list_alignment - 1) / list_alignment * list_alignment;
        }
    }
}

std::vector<JointLaunches::Group> JointLaunches::groups_of(size_t i) const {
    std::vector<Group> groups;
    for (size_t model = 0; model < notes_.size(); ++model) {
        const LaunchNote& own = notes_[model][i];
        const auto fits = [&](const Group& group) {
            const LaunchNote& first = note(i, group);
            const auto planes = own.grid.blocks.z * static_cast<int64_t>(group.models.size() + 1);
            return own.kernel != nullptr && own.kernel == first.kernel && own.grid == first.grid &&
                   planes <= most_planes;
        };
        const auto group = std::find_if(groups.begin(), groups.end(), fits);
        if (group != groups.end())
            group->models.push_back(model);
        else
            groups.push_back({{model}});
    }
    return groups;
}

Grid JointLaunches::joint_grid(size_t i, const Group& group) const {
    Grid grid = note(i, group).grid;
    grid.blocks.z *= static_cast<int64_t>(group.models.size());
    return grid;
}

void JointLaunches::write_arguments(char* to, const char* device) {
    arguments_ = device;
    each_joint([&](size_t i, const Group& group) {
        char* at = to + group.offset;
        for (const size_t model : group.models) {
            const std::vector<char>& own = notes_[model][i].arguments;
            std::memcpy(at, own.data(), own.size());
            at += own.size();
        }
    });
}

void JointLaunches::load() const {
    each_joint([&](size_t i, const Group& group) { note(i, group).kernel->load(joint_grid(i, group)); });
}

size_t JointLaunches::most_beside() const {
    size_t most = 1;
    for (const auto& groups : steps_) most = std::max(most, groups.size());
    return most;
}

void JointLaunches::emit_group(size_t i, const Group& group, Stream stream) const {
    const LaunchNote& first = note(i, group);
    if (group.models.size() == 1) return first.alone(stream);
    first.kernel->launch(joint_grid(i, group), stream, arguments_ + group.offset,
                         static_cast<int32_t>(first.grid.blocks.z));
}

void JointLaunches::emit(Stream stream, SideStreams& beside) const {
    for (size_t i = 0; i < steps_.size(); ++i) {
        const std::vector<Group>& groups = steps_[i];
        beside.fork(stream, groups.size());
        for (size_t g = 0; g < groups.size(); ++g) emit_group(i, groups[g], beside.stream(stream, g));
        beside.join(stream, groups.size());
    }
}

std::string JointLaunches::apart() const {
    std::map<std::string, int> counts;
    for (size_t i = 0; i < steps_.size(); ++i) {
        if (steps_[i].size() > 1) ++counts[notes_.front()[i].name];
    }
    std::string text;
    for (const auto& [name, count] : counts) {
        text += text.empty() ? "" : ", ";
        text += count == 1 ? name : std::to_string(count) + " of " + name;
    }
    return text;
}

}  // namespace nativegrad::cuda
