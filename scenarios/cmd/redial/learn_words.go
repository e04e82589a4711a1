package main

// learnWords are the texts that learn prints, in both languages.
var learnWords = map[string]struct{ en, ko string }{
	"exercise":    {"Exercise %s: %s", "연습 문제 %s: %s"},
	"goal":        {"Goal", "목표"},
	"not started": {"not started", "시작 안 함"},
	"started":     {"started", "시작함"},
	"k of n":      {"%d of %d scenarios", "시나리오 %[2]d개 중 %[1]d개"},
	"solved":      {"solved", "해결"},
	"list": {
		"%d of %d solved. \"make start-exercise-7\" starts one, and \"make exercise-7\" checks it.",
		"%[2]d개 중 %[1]d개를 풀었습니다. \"make start-exercise-7\"로 시작하고 \"make exercise-7\"로 채점하세요.",
	},

	"exists": {
		"%s exists already: continue with it, or start again with RESET=1 make start-exercise-%s (redial learn start --reset), which deletes your changes",
		"%s가 이미 있습니다. 이어서 하거나, RESET=1 make start-exercise-%s (redial learn start --reset)로 다시 시작하세요. 고친 내용은 지워집니다",
	},
	"reset?":     {"%s exists already. Delete your changes and start again? [y/N] ", "%s가 이미 있습니다. 고친 내용을 지우고 다시 시작할까요? [y/N] "},
	"left alone": {"Your copy was not changed.", "사본을 그대로 둡니다."},
	"no copy":    {"there is no copy of step %[1]s yet: run make start-exercise-%[1]s", "%[1]s단계의 사본이 아직 없습니다. make start-exercise-%[1]s를 실행하세요"},
	"copy": {
		"Your copy is in %s: chat.go is the server, index.html the page. Change only these two; git ignores the folder.",
		"사본은 %s에 있습니다. chat.go가 서버, index.html이 페이지입니다. 이 두 파일만 고치세요. git은 이 폴더를 무시합니다.",
	},
	"exercise-":       {"asks for a prediction, then checks your copy", "예측을 묻고, 사본을 채점합니다"},
	"serve-exercise-": {"serves your copy at http://localhost:3000", "사본을 http://localhost:3000에서 실행합니다"},
	"hint-":           {"shows a hint", "힌트를 하나 보여 줍니다"},
	"solution-":       {"shows the solution", "해답을 보여 줍니다"},

	"predict":      {"Predict", "예측"},
	"answer?":      {"Your answer (a to %s, Enter to skip): ", "답 (a부터 %s까지, 건너뛰려면 Enter): "},
	"answer later": {"Answer with ANSWER=a make exercise-%s, to have your prediction compared.", "ANSWER=a make exercise-%s처럼 답하면 예측과 비교해 드립니다."},
	"predicted":    {"Predicted", "예측"},
	"right":        {"Your answer %s is right.", "%s, 맞았습니다."},
	"not right":    {"Your answer is %s; the right one is %s.", "%s가 아니라 %s입니다."},

	"building":         {"building %s …", "%s 빌드 중 …"},
	"playing":          {"playing the scenarios: %d of %d …", "시나리오 실행 중: %[2]d개 중 %[1]d개 …"},
	"does not compile": {"Your copy does not compile:", "사본이 컴파일되지 않습니다:"},
	"more lines":       {"… and %d lines more", "… 그 밖에 %d줄"},

	"the story":     {"What happens in %s", "%s에서 일어나는 일"},
	"rule":          {"rule", "규칙"},
	"picture":       {"Picture", "그림"},
	"solved so far": {"Solved", "해결"},
	"not yet":       {"Not yet", "아직"},
	"go on": {
		"Change chat.go or index.html in %s, then run make exercise-%s again.",
		"%s의 chat.go나 index.html을 고치고 make exercise-%s를 다시 실행하세요.",
	},
	"stuck":      {"Stuck? make hint-%s", "막히면: make hint-%s"},
	"all solved": {"Solved: all %d scenarios pass.", "해결: 시나리오 %d개가 모두 통과했습니다."},
	"after": {
		"Compare your code with the step's: make solution-%s. \"make learn\" lists the other exercises.",
		"make solution-%s로 단계의 코드와 비교해 보세요. \"make learn\"은 다른 연습 문제를 보여 줍니다.",
	},

	"hint n":        {"Hint %d/%d", "힌트 %d/%d"},
	"next hint":     {"make hint-%s shows the next one.", "make hint-%s를 다시 실행하면 다음 힌트가 나옵니다."},
	"no more hints": {"These are all hints. make solution-%s shows the solution.", "힌트는 이것이 전부입니다. make solution-%s를 실행하면 해답이 나옵니다."},
	"solution":      {"Solution", "해답"},
	"whole files":   {"The whole files are steps/step%[1]s/chat.go and steps/step%[1]s/index.html.", "전체 파일은 steps/step%[1]s/chat.go와 steps/step%[1]s/index.html입니다."},
}
