"""How radiologists put things: one line a sentence, what it says behind the arrow. All are invented.

`+` present, `-` absent, `?` uncertain; then side, location, severity, change. Nothing behind the arrow:
the sentence asserts nothing.
"""

import pytest

from cxreason.text import observe

PHRASINGS = """
The lungs are hypoinflated with crowding of vascular markings at the bases. -> +low lung volumes; +crowding lower lung
There is partial collapse of the right middle lobe. -> +lobar collapse right right mid lung
Discoid atelectasis in the lingula. -> +subsegmental atelectasis left left mid lung
Left basilar subsegmental volume loss. -> +volume loss left left lower lung
Bibasilar platelike densities, likely atelectasis. -> +linear opacity both both lower lung; +atelectasis
Retrocardiac airspace opacity which could be atelectasis or early pneumonia. -> +airspace opacity left left lower lung; ?atelectasis; ?pneumonia
The heart is top normal in size. -> -cardiomegaly
The heart size is at the upper limits of normal. -> -cardiomegaly
The heart is not enlarged. -> -cardiomegaly
The heart is enlarged but unchanged from prior. -> +cardiomegaly stable
Cardiothoracic ratio is within normal limits. -> -cardiomegaly
There is mild cardiac enlargement without overt edema. -> +cardiomegaly mild; -edema
Interval enlargement of the heart. -> +cardiomegaly
Heart size is mildly to moderately enlarged. -> +cardiomegaly moderate
The heart remains enlarged. -> +cardiomegaly stable
No cardiomegaly or vascular congestion. -> -cardiomegaly; -vascular congestion
There is blunting of the left costophrenic angle, suggesting a small effusion. -> +blunted costophrenic angle left; +pleural effusion mild suggested
Trace left pleural fluid. -> +pleural effusion left mild
Small bilateral pleural effusions, left greater than right. -> +pleural effusion both mild
There is fluid in the right major fissure. -> +pleural effusion right
Layering right effusion with compressive atelectasis. -> +pleural effusion right; +atelectasis
Previously seen left effusion has resolved. -> -pleural effusion left resolved
The left pleural effusion is no longer visualized. -> -pleural effusion left resolved
Left effusion has nearly resolved. -> +pleural effusion left improving
No definite effusion. -> -pleural effusion
No pleural effusion is identified on the right; a small one is present on the left. -> -pleural effusion right
Pleural effusion is present on the left but not on the right. -> +pleural effusion left
No large effusion. -> -pleural effusion
There is no evidence for pleural effusion or pneumothorax. -> -pleural effusion; -pneumothorax
Neither pleural effusion nor pneumothorax. -> -pleural effusion; -pneumothorax
Pericardial effusion cannot be excluded. -> ?pericardial effusion
No pneumothorax is seen following line placement. -> -pneumothorax
No residual pneumothorax. -> -pneumothorax
Tiny right apical pneumothorax persists. -> +pneumothorax right right upper lung mild stable
Interval resolution of right pneumothorax. -> -pneumothorax right resolved
There is a left hydropneumothorax. -> +hydropneumothorax left
Skin fold mimics pneumothorax. -> -pneumothorax
Chest tube removed without pneumothorax. -> -chest tube resolved; -pneumothorax
Patchy infiltrates in both lung bases. -> +infiltrate both both lower lung
No focal infiltrate. -> -infiltrate
Streaky perihilar infiltrate. -> +infiltrate
Lobar consolidation in the right upper lobe with air bronchograms. -> +consolidation right right upper lung; +air bronchogram
The lungs are without focal consolidation. -> -consolidation
No consolidative process. -> -consolidation
Findings consistent with right lower lobe pneumonia. -> +pneumonia right right lower lung
Pneumonia in the left base is suspected. -> ?pneumonia left left lower lung
No radiographic evidence of pneumonia. -> -pneumonia
Cannot exclude early pneumonia. -> ?pneumonia
Pneumonia has cleared. -> -pneumonia resolved
Findings are most likely due to pneumonia. -> +pneumonia
This is unlikely to represent pneumonia. -> -pneumonia
Doubt pneumonia. -> -pneumonia
Pulmonary edema pattern with Kerley B lines. -> +edema; +kerley line
Mild interstitial edema is suspected. -> ?interstitial edema mild
No overt pulmonary edema. -> -edema
No frank edema. -> -edema
No evidence of CHF. -> -heart failure
Pulmonary vascular congestion without frank edema. -> +vascular congestion; -edema
Resolving pulmonary edema. -> +edema improving
Emphysema with flattened diaphragms. -> +emphysema; +flattened diaphragm
Emphysematous changes are present in the upper lobes. -> +emphysema upper lung
No emphysema. -> -emphysema
Bullous changes in the apices consistent with emphysema. -> +bulla upper lung; +emphysema
Subcutaneous emphysema in the left chest wall. -> +subcutaneous emphysema left
Pulmonary fibrosis is present in both lung bases. -> +fibrosis both both lower lung
Fibrotic changes at the right apex. -> +fibrosis right right upper lung
Chronic interstitial changes, likely fibrosis. -> +interstitial opacity; +fibrosis
No evidence of fibrosis. -> -fibrosis
Pleural thickening at the right apex. -> +pleural thickening right right upper lung
Biapical pleural thickening and scarring. -> +pleural thickening both both upper lung; +scarring
Mild pleural thickening along the left lateral chest wall. -> +pleural thickening left mild
No pleural thickening. -> -pleural thickening
There is a 3 cm mass in the right upper lobe. -> +mass right right upper lung
Mass-like consolidation in the left hilum. -> +mass left
No mass or nodule is seen. -> -mass; -nodule
No suspicious pulmonary nodules or masses. -> -nodule; -mass
Mass effect on the trachea. ->
The body mass index is high. ->
A hilar mass cannot be excluded. -> ?mass
Rounded mass projecting over the left mid lung. -> +mass left left mid lung
Anterior mediastinal mass. -> +mediastinal mass
A 6 mm nodule in the left upper lobe is unchanged. -> +nodule left left upper lung stable
Nodules in both lungs consistent with metastases. -> +nodule both; +metastasis
Multiple pulmonary nodules are again noted. -> +nodule
Nipple shadow simulating a nodule. -> +nipple shadow; -nodule
No new nodule. -> -nodule
Questionable nodule in the right mid lung. -> ?nodule right right mid lung
Calcified nodule in the right lung consistent with granuloma. -> +calcified nodule right; +granuloma
Consider CT to evaluate for nodule. ->
CT recommended for the nodule in the right upper lobe. ->
Rib fracture on the left. -> +rib fracture left
No acute fracture or dislocation. -> -fracture; -dislocation
No displaced rib fractures. -> -rib fracture
Compression fracture of T8. -> +compression deformity
Fracture is not excluded. -> ?fracture
Right IJ line tip in the SVC. -> +central venous catheter right
The line terminates in the right atrium. ->
The carina is in the midline. ->
Endotracheal tube has been removed. -> -endotracheal tube resolved
ET tube is 3 cm above the carina. -> +endotracheal tube
Devices: None. -> -support devices
Lines and tubes: none. -> -support devices
Lines/tubes: Right PICC. -> +peripherally inserted central catheter right
DEVICES: Left pacemaker. -> +pacemaker left
Pleura: No effusion or pneumothorax. -> -pleural effusion; -pneumothorax
Bones: No acute abnormality. -> -fracture
Support devices: none. -> -support devices
Heart and mediastinum: Normal. -> -enlarged cardiomediastinum; -cardiomegaly
No support devices. -> -support devices
Tubes: Endotracheal tube in good position. -> +endotracheal tube
History of pneumothorax. ->
Patient with history of CHF and COPD, evaluate for edema. ->
Status post resection of a left upper lobe mass. ->
S/p CABG. ->
Evaluate for pneumonia. ->
Rule out pneumothorax. ->
Follow-up CT is recommended to exclude malignancy. ->
If symptoms persist, CT may be obtained to exclude a nodule. ->
No change in the right effusion. -> +pleural effusion right stable
No significant interval change in bibasilar atelectasis. -> +atelectasis both both lower lung stable
Not significantly changed left basilar opacity. -> +lung opacity left left lower lung stable
No interval development of pneumothorax. -> -pneumothorax
No new infiltrate. -> -infiltrate
No new consolidation; stable left effusion. -> -consolidation; +pleural effusion left stable
Previously described edema has improved. -> +edema improving
Compared with the prior study, the effusion has decreased. -> +pleural effusion improving
Clear lungs bilaterally. -> -lung opacity both; -lung lesion both; -edema both; -consolidation both; -pneumonia both; -atelectasis both
The lungs are grossly clear. -> -lung opacity; -lung lesion; -edema; -consolidation; -pneumonia; -atelectasis
Lungs clear. -> -lung opacity; -lung lesion; -edema; -consolidation; -pneumonia; -atelectasis
Lungs are clear except for a small granuloma in the right base. -> +granuloma right right lower lung mild
Both lungs are well expanded and clear. -> -lung opacity both; -lung lesion both; -edema both; -consolidation both; -pneumonia both; -atelectasis both
Lungs are free of infiltrates. -> -infiltrate
Normal heart size and mediastinal contours. -> -cardiomegaly; -enlarged cardiomediastinum
Cardiomediastinal silhouette within normal limits. -> -enlarged cardiomediastinum; -cardiomegaly
The mediastinum is not widened. -> -enlarged cardiomediastinum
Widened mediastinum. -> +enlarged cardiomediastinum
There is no XXXX of a pleural effusion. -> -pleural effusion
Heart size is XXXX. Lungs are XXXX. ->
There is a ___ cm nodule in the ___ lobe. -> +nodule
No ___ pneumothorax. -> -pneumothorax
Prominent XXXX without cardiomegaly. -> -cardiomegaly
Atelectasis vs. infiltrate at the left base. -> ?atelectasis alternative; ?infiltrate left left lower lung alternative
Opacity representing atelectasis and/or pneumonia. -> +lung opacity; +atelectasis; +pneumonia
Not only is there an effusion but also edema. -> +pleural effusion; +edema
Rather than pneumonia, this is atelectasis. -> -pneumonia; +atelectasis
Atelectasis rather than pneumonia. -> +atelectasis; -pneumonia
There is an absence of pleural effusion. -> -pleural effusion
Lack of effusion is noted. -> -pleural effusion
Pneumothorax: absent. -> -pneumothorax
Effusion: small, left. -> +pleural effusion left mild
Edema: none. -> -edema
Consolidation: no. -> -consolidation
Pneumothorax - none. -> -pneumothorax
Effusions are absent. -> -pleural effusion
Pleural effusion is not appreciated. -> -pleural effusion
No abnormality other than a small effusion. -> +pleural effusion mild
The lungs show no evidence of active disease. -> -edema; -consolidation; -pneumonia
No active disease. -> -edema; -consolidation; -pneumonia; -pneumothorax; -pleural effusion
Negative for pneumonia. -> -pneumonia
No acute findings. -> -edema; -consolidation; -pneumonia; -pneumothorax; -pleural effusion
Possible small left effusion versus pleural thickening. -> ?pleural effusion left mild; ?pleural thickening
Atelectasis without effusion. -> +atelectasis; -pleural effusion
Without evidence of edema. -> -edema
There is hazy opacity over the left base, which may reflect layering effusion. -> +lung opacity left left lower lung; ?pleural effusion
Effusion is decreased and edema has resolved. -> +pleural effusion improving; -edema resolved
No more effusion. -> -pleural effusion
Aortic aneurysm is not seen. -> -aortic aneurysm
Hiatal hernia is present. -> +hiatal hernia
No hiatal hernia. -> -hiatal hernia
Free air under the diaphragm. -> +pneumoperitoneum
No free air. -> -pneumoperitoneum
Elevated right hemidiaphragm. -> +elevated diaphragm right
Severe scoliosis. -> +scoliosis severe
Lucency at the right apex suspicious for pneumothorax. -> +hyperlucency right right upper lung; ?pneumothorax
Volume loss in the right upper lobe with scarring. -> +volume loss right right upper lung; +scarring
Opacities have not significantly changed. -> +lung opacity stable
Opacities have cleared. -> -lung opacity resolved
There are no findings to suggest pneumonia. -> -pneumonia
There is no convincing evidence of pneumonia. -> -pneumonia
No typical findings of pneumonia or pulmonary edema. -> -pneumonia; -edema
It is difficult to exclude a small effusion. -> ?pleural effusion mild
An underlying infiltrate would be difficult to exclude. -> ?infiltrate
Superimposed pneumonia is not excluded. -> ?pneumonia
Query left lower lobe pneumonia. -> ?pneumonia left left lower lung
?Left effusion. -> ?pleural effusion left
Probable left effusion. -> +pleural effusion left
Probably atelectasis. -> +atelectasis
Apparent enlargement of the heart. -> +cardiomegaly
Presumed atelectasis. -> +atelectasis
Suspect a small effusion. -> ?pleural effusion mild
Pneumonia should be considered. -> ?pneumonia
Atelectasis is felt less likely. -> ?atelectasis
Mild atelectasis is again noted in the left base. -> +atelectasis left left lower lung mild
Pneumothorax: No pneumothorax. -> -pneumothorax
Pleural effusion: None. -> -pleural effusion
Pleural effusion: Small on the left. -> +pleural effusion left mild
Effusion, pneumothorax: none. -> -pleural effusion; -pneumothorax
Consolidation: No -> -consolidation
Bones: No acute osseous abnormality. -> -fracture
Osseous structures: No acute abnormality. -> -fracture
The heart and lungs show no acute abnormality. -> -edema; -consolidation; -pneumonia
Visualized osseous structures show no abnormality. -> -fracture
It is possible that there is a small effusion. -> ?pleural effusion mild
Devices: Endotracheal tube ends above the carina. -> +endotracheal tube
"""


@pytest.mark.parametrize("line", PHRASINGS.strip().split("\n"))
def test_a_phrasing_is_understood(line):
    sentence, _, expected = line.partition(" ->")
    signs = {"present": "+", "absent": "-", "uncertain": "?"}
    found = []
    for seen in observe(sentence):
        parts = (seen.side, seen.location, seen.severity, seen.change, seen.hedge)
        found.append(" ".join([signs[seen.status] + seen.finding, *filter(None, parts)]))
    assert sorted(found) == sorted(filter(None, expected.strip().split("; ")))
