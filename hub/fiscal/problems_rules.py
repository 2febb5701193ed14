"""Sentences of the rules of :mod:`hub.fiscal.rules`, of cash moves and of :mod:`hub.fiscal.fit`: id -> sentence in
English, Russian and Kazakh. Those that building an order says too stand in :mod:`hub.fiscal.problems`.
"""

from __future__ import annotations

from hub.fiscal.text import Text

RULE_SENTENCES: dict[str, Text] = {
    # -- sums --------------------------------------------------------------------------------------------------------
    "quantity_places": Text(
        "“{name}”: the quantity {quantity} has more than {places} decimals. Round it.",
        "«{name}»: у количества {quantity} больше {places} знаков после запятой. Округлите его.",
        "«{name}»: {quantity} санында үтірден кейін {places} таңбадан көп. Дөңгелектеңіз."),
    "quantity_fine": Text(
        "“{name}”: the quantity {quantity} has more than {places} decimals; some registers print only {places}. "
        "Round it if the register refuses.",
        "«{name}»: у количества {quantity} больше {places} знаков после запятой, а часть касс печатает только "
        "{places}. "
        "Если касса откажет, округлите.",
        "«{name}»: {quantity} санында үтірден кейін {places} таңбадан көп, кейбір кассалар {places} ғана басады. "
        "Касса қабылдамаса, дөңгелектеңіз."),
    "price_zero": Text(
        "“{name}” costs nothing; that is for gifts only. Give it its price, with a discount if there is one.",
        "«{name}» стоит 0 — так можно только подарок. Укажите цену, а скидку — скидкой.",
        "«{name}» бағасы 0 — бұл тек сыйлыққа рұқсат. Бағасын, ал жеңілдікті жеңілдікпен көрсетіңіз."),
    "sum_below_zero": Text(
        "“{name}”: a discount, markup or excise of {value} is below zero. Enter it without the minus.",
        "«{name}»: скидка, наценка или акциз {value} меньше нуля. Укажите без минуса.",
        "«{name}»: жеңілдік, үстеме немесе акциз {value} нөлден кіші. Минуссыз көрсетіңіз."),
    "payment_repeated": Text(
        "The form of payment “{form}” stands in the receipt twice. Add both sums into one.",
        "Форма оплаты «{form}» указана в чеке дважды. Сложите суммы в одну.",
        "«{form}» төлем түрі чекте екі рет көрсетілген. Сомаларды біріктіріңіз."),
    "change_without_cash": Text(
        "Change of {change} needs a payment in cash. Correct the payments.",
        "Сдача {change} возможна только с наличных. Исправьте оплаты.",
        "{change} қайтарымы тек қолма-қол төлемнен беріледі. Төлемдерді түзетіңіз."),
    "vat_sum_differs": Text(
        "“{name}”: VAT {vat} of this sum is {computed}, but {stated} is stated. Correct it or leave it to be computed.",
        "«{name}»: НДС {vat} с этой суммы — {computed}, а указано {stated}. Исправьте или не указывайте: хаб "
        "посчитает.",
        "«{name}»: осы сомадан {vat} ҚҚС — {computed}, ал көрсетілгені {stated}. Түзетіңіз немесе есептеуге "
        "қалдырыңыз."),
    "vat_not_calculated": Text(
        "“{name}”: a prepayment or advance takes the calculated rate {right}, not {vat}. Correct the rate or the "
        "payment method.",
        "«{name}»: для предоплаты и аванса нужна расчётная ставка {right}, а не {vat}. Исправьте ставку или способ "
        "расчёта.",
        "«{name}»: алдын ала төлем мен аванс үшін {vat} емес, {right} есептік мөлшерлемесі керек. Мөлшерлемені немесе "
        "есептесу тәсілін түзетіңіз."),
    "vat_not_direct": Text(
        "“{name}”: goods handed over take the direct rate {right}, not {vat}. Correct the rate or the payment method.",
        "«{name}»: при передаче товара нужна прямая ставка {right}, а не {vat}. Исправьте ставку или способ расчёта.",
        "«{name}»: тауар берілгенде {vat} емес, {right} тікелей мөлшерлемесі керек. Мөлшерлемені немесе есептесу "
        "тәсілін түзетіңіз."),
    "vat_tax_system": Text(
        "“{name}”: VAT {vat} is unusual for the tax system {system}. Check both with the accountant.",
        "«{name}»: НДС {vat} необычен для системы налогообложения {system}. Сверьте с бухгалтером.",
        "«{name}»: {vat} ҚҚС {system} салық жүйесіне тән емес. Бухгалтермен тексеріңіз."),
    # -- texts -------------------------------------------------------------------------------------------------------
    "text_too_long": Text(
        "{field} has {length} characters, and at most {most} fit (tag {tag}). Shorten it.",
        "{field}: {length} знаков, а помещается не больше {most} (тег {tag}). Сократите.",
        "{field}: {length} таңба, ал ең көбі {most} сыяды ({tag} тегі). Қысқартыңыз."),
    "group_too_long": Text(
        "{field} takes {length} bytes with its names, and at most {most} fit (tag {tag}). Shorten the texts or name "
        "fewer phones.",
        "{field}: вместе {length} байт, а помещается не больше {most} (тег {tag}). Сократите тексты или "
        "число телефонов.",
        "{field}: барлығы {length} байт, ал ең көбі {most} сыяды ({tag} тегі). Мәтіндерді не телефондар санын "
        "қысқартыңыз."),
    "key_wrong": Text(
        "The receipt's key “{key}” is empty or longer than {most} characters. Give it a key of its own.",
        "Ключ чека «{key}» пуст или длиннее {most} знаков. Задайте чеку свой ключ.",
        "Чек кілті «{key}» бос немесе {most} таңбадан ұзын. Чекке өз кілтін беріңіз."),
    # -- the buyer, the cashier, the seller --------------------------------------------------------------------------
    "sender_missing": Text(
        "An electronic receipt names the sender's e-mail (tag 1117), and there is none. Set it in the organisation's "
        "settings.",
        "В электронном чеке указывают почту отправителя (тег 1117), а её нет. Задайте её в настройках организации.",
        "Электрондық чекте жіберушінің поштасы көрсетіледі (1117 тегі), ал ол жоқ. Ұйым баптауларында көрсетіңіз."),
    "internet_place": Text(
        "For a payment on the Internet the place of settlement is the shop's site, not “{place}”. Set it in the "
        "organisation's settings.",
        "При расчёте в интернете место расчётов — адрес сайта, а не «{place}». Задайте его в настройках организации.",
        "Интернеттегі есептесуде орын — «{place}» емес, сайт мекенжайы. Ұйым баптауларында көрсетіңіз."),
    "buyer_inn_wrong": Text(
        "The buyer's tax number “{inn}” is wrong: its length or check digits do not agree, or there are blanks. "
        "Correct or remove it.",
        "ИНН (ИИН, БИН) покупателя «{inn}» неверен: не сходится длина или контрольные цифры, или есть пробелы. "
        "Исправьте или уберите.",
        "Сатып алушының ЖСН/БСН/СТН «{inn}» қате: ұзындығы не бақылау цифрлары сәйкес емес немесе бос орын бар. "
        "Түзетіңіз немесе алып тастаңыз."),
    "cashier_inn_wrong": Text(
        "The cashier's INN “{inn}” is wrong: a person has 12 digits with two check digits and no blanks. Correct or "
        "remove it.",
        "ИНН кассира «{inn}» неверен: у человека 12 цифр с двумя контрольными, без пробелов. Исправьте или уберите.",
        "Кассирдің СТН «{inn}» қате: жеке тұлғада екі бақылау цифрымен бос орынсыз 12 цифр. Түзетіңіз немесе алып "
        "тастаңыз."),
    "seller_inn_wrong": Text(
        "The seller's tax number “{inn}” is wrong: its check digits do not agree, or there are blanks. Correct it in "
        "the organisation's settings.",
        "ИНН (БИН) продавца «{inn}» неверен: не сходятся контрольные цифры, или есть пробелы. Исправьте в настройках "
        "организации.",
        "Сатушының БСН/СТН «{inn}» қате: бақылау цифрлары сәйкес емес немесе бос орын бар. Ұйым баптауларында "
        "түзетіңіз."),
    "tax_system_ended": Text(
        "The tax on imputed income (ENVD) ended on {day}. Choose the present tax system.",
        "ЕНВД отменён с {day}. Выберите действующую систему налогообложения.",
        "ЕНВД {day} күнінен бастап жойылған. Қолданыстағы салық жүйесін таңдаңыз."),
    "citizenship_wrong": Text(
        "The buyer's citizenship is three digits of the country's code (643), not “{value}”. Correct it.",
        "Гражданство — три цифры кода страны (643), а не «{value}». Исправьте.",
        "Азаматтық — «{value}» емес, ел кодының үш цифры (643). Түзетіңіз."),
    "document_kind_wrong": Text(
        "The kind of the identity document is two digits (21 for a passport), not “{value}”. Correct it.",
        "Вид документа — две цифры (21 — паспорт), а не «{value}». Исправьте.",
        "Құжат түрі — «{value}» емес, екі цифр (21 — паспорт). Түзетіңіз."),
    # -- agents ------------------------------------------------------------------------------------------------------
    "supplier_inn_missing": Text(
        "An agent's receipt names the supplier's INN (tag 1226), and there is none. Add it to the goods.",
        "В чеке агента нужен ИНН поставщика (тег 1226), а его нет. Добавьте его к товару.",
        "Агент чегінде жеткізушінің СТН (1226 тегі) керек, ал ол жоқ. Тауарға қосыңыз."),
    "supplier_phones_missing": Text(
        "A paying agent's receipt should name the supplier and his phones (tags 1225, 1171). Add them to the goods.",
        "В чеке платёжного агента нужны название и телефоны поставщика (теги 1225, 1171). Добавьте их к товару.",
        "Төлем агентінің чегінде жеткізушінің атауы мен телефондары (1225, 1171) болғаны жөн. Тауарға қосыңыз."),
    "supplier_without_agent": Text(
        "There is a supplier but no agent's sign (tag 1222). Say which agent sells, or remove the supplier.",
        "Указан поставщик, но нет признака агента (тег 1222). Укажите, кто агент, или уберите поставщика.",
        "Жеткізуші бар, бірақ агент белгісі (1222 тегі) жоқ. Агентті көрсетіңіз немесе жеткізушіні алып тастаңыз."),
    "supplier_inn_wrong": Text(
        "The INN “{inn}” of the supplier or the transfer operator is wrong: 10 or 12 digits without blanks. Correct "
        "it.",
        "ИНН «{inn}» поставщика или оператора перевода неверен: нужны 10 или 12 цифр без пробелов. Исправьте.",
        "Жеткізушінің немесе аударым операторының СТН «{inn}» қате: бос орынсыз 10 не 12 цифр керек. Түзетіңіз."),
    "phone_wrong": Text(
        "“{phone}” is no phone number of at most 19 characters. Write it as +79990000000.",
        "«{phone}» — не телефон до 19 знаков. Запишите как +79990000000.",
        "«{phone}» — 19 таңбаға дейінгі телефон емес. +79990000000 түрінде жазыңыз."),
    "agent_on_document": Text(
        "In FFD {ffd} the agent's sign belongs to each line (tag 1222), not to the whole receipt. Move it to the "
        "lines.",
        "В ФФД {ffd} признак агента ставят у каждой позиции (тег 1222), а не у всего чека. Перенесите в позиции.",
        "ФФД {ffd} бойынша агент белгісі бүкіл чекке емес, әр жолға қойылады (1222 тегі). Жолдарға көшіріңіз."),
    # -- lines -------------------------------------------------------------------------------------------------------
    "subject_not_payment": Text(
        "“{name}”: an advance or a payment of credit (method {method}) is about a payment (object 10), not goods. "
        "Choose "
        "object 10.",
        "«{name}»: предмет аванса и погашения кредита (способ {method}) — платёж (10), а не товар. Выберите "
        "предмет 10.",
        "«{name}»: аванс пен несиені өтеудің ({method} тәсілі) заты — тауар емес, төлем (10). 10-затты таңдаңыз."),
    "country_wrong": Text(
        "“{name}”: the country of origin is three digits (156 for China), not “{value}”. Correct it.",
        "«{name}»: страна происхождения — три цифры (156 — Китай), а не «{value}». Исправьте.",
        "«{name}»: шығарылған елі — «{value}» емес, үш цифр (156 — Қытай). Түзетіңіз."),
    "unit_ignored": Text(
        "“{name}”: FFD 1.2 has no text of a unit (“{unit}”), only a measure (tag 2108). Choose the measure.",
        "«{name}»: в ФФД 1.2 нет единицы текстом («{unit}»), есть только мера (тег 2108). Выберите меру.",
        "«{name}»: ФФД 1.2-де өлшем мәтінмен («{unit}») берілмейді, тек 2108 тегі бар. Өлшемді таңдаңыз."),
    "department_wrong": Text(
        "“{name}”: there is no department {value}; they go from 0 to 255. Correct it.",
        "«{name}»: секции {value} не бывает, они от 0 до 255. Исправьте.",
        "«{name}»: {value} бөлімі жоқ, олар 0-ден 255-ке дейін. Түзетіңіз."),
    "field_needs_ffd12": Text(
        "{field} exists only in FFD 1.2, the register works by {ffd}; it will not be printed. Remove it, or move the "
        "register to 1.2.",
        "{field} есть только в ФФД 1.2, касса работает по {ffd}; реквизит не попадёт в чек. Уберите его или переведите "
        "кассу на 1.2.",
        "{field} тек ФФД 1.2-де бар, касса {ffd} бойынша істейді; деректеме чекке түспейді. Алып тастаңыз немесе "
        "кассаны 1.2-ге көшіріңіз."),
    "user_property_half": Text(
        "An additional user property needs its name and its value. Fill in both or neither.",
        "У дополнительного реквизита пользователя нужны название и значение. Заполните оба или ни одного.",
        "Пайдаланушының қосымша деректемесіне атауы да, мәні де керек. Екеуін де толтырыңыз немесе ешқайсысын."),
    "industry_body_wrong": Text(
        "The federal body of an industry property is three digits (030), not “{value}”. Correct it.",
        "Орган в отраслевом реквизите — три цифры (030), а не «{value}». Исправьте.",
        "Салалық деректемедегі орган — «{value}» емес, үш цифр (030). Түзетіңіз."),
    "operation_wrong": Text(
        "The id of an operational property is a number from 0 to 255, not {value}. Correct it.",
        "Номер операции в операционном реквизите — от 0 до 255, а не {value}. Исправьте.",
        "Операциялық деректеменің нөмірі — {value} емес, 0-ден 255-ке дейін. Түзетіңіз."),
    "date_impossible": Text(
        "The date {value} is one that no register can write. Correct it.",
        "{value} — такую дату касса не запишет. Исправьте.",
        "{value} — мұндай күнді касса жазбайды. Түзетіңіз."),
    "cashless_method_wrong": Text(
        "The method of a cashless payment is a number from 0 to 255, not {value}. Correct it.",
        "Способ безналичной оплаты — число от 0 до 255, а не {value}. Исправьте.",
        "Қолма-қолсыз төлем тәсілі — {value} емес, 0-ден 255-ке дейінгі сан. Түзетіңіз."),
    "cashless_sum_differs": Text(
        "The details of cashless payments come to {stated}, but {electronic} was paid electronically. Make them agree.",
        "Сведения о безналичных оплатах дают {stated}, а безналичными оплачено {electronic}. Пусть суммы сойдутся.",
        "Қолма-қолсыз төлем мәліметтері {stated}, ал қолма-қолсыз төленгені {electronic}. Сомаларды сәйкестендіріңіз."),
    # -- settlement over time ----------------------------------------------------------------------------------------
    "methods_mixed": Text(
        "Prepayment and goods handed over stand in one receipt. Print two: one for each.",
        "В одном чеке и предоплата, и передача товара. Пробейте два чека, по одному на каждое.",
        "Бір чекте алдын ала төлем де, тауар беру де бар. Әрқайсысына бөлек чек беріңіз."),
    "credit_unpaid": Text(
        "{lines} were handed over on credit, but only {credit} is marked as credit (tag 1216). Correct the payments.",
        "В кредит передано на {lines}, а кредитом (тег 1216) отмечено {credit}. Исправьте оплаты.",
        "Несиеге {lines} берілді, ал несие деп (1216 тегі) {credit} көрсетілген. Төлемдерді түзетіңіз."),
    "partial_without_credit": Text(
        "“{name}” is a partial payment with the rest on credit, but no credit is among the payments. Add it.",
        "«{name}» — частичный расчёт с остатком в кредит, но кредита среди оплат нет. Добавьте его.",
        "«{name}» — қалдығы несиеге қалған ішінара төлем, бірақ төлемдерде несие жоқ. Қосыңыз."),
    "credit_unasked": Text(
        "A part is paid on credit (tag 1216), but no line is on credit (method 5 or 6). Correct the method or the "
        "payments.",
        "Часть оплачена кредитом (тег 1216), но ни у одной позиции нет способа 5 или 6. Исправьте способ или оплаты.",
        "Бір бөлігі несиемен төленген (1216 тегі), бірақ бірде-бір жолда 5 не 6 тәсілі жоқ. Тәсілді не төлемді "
        "түзетіңіз."),
    "prepaid_for_prepayment": Text(
        "A prepayment is paid by offsetting another prepayment (tag 1215). Check that this is what happened.",
        "Предоплата оплачена зачётом другой предоплаты (тег 1215). Проверьте, так ли это.",
        "Алдын ала төлем басқа алдын ала төлемді есепке алумен төленген (1215 тегі). Солай ма, тексеріңіз."),
    # -- marked goods ------------------------------------------------------------------------------------------------
    "marking_repeated": Text(
        "“{name}” has the same marking code as line {first}. Scan each piece: one code, one piece.",
        "У «{name}» тот же код маркировки, что у позиции {first}. Отсканируйте каждую штуку: один код — одна штука.",
        "«{name}» таңбалау коды {first}-жолдағыдай. Әр дананы сканерлеңіз: бір код — бір дана."),
    "marking_unreadable": Text(
        "“{name}”: the marking code cannot be used. {reason}",
        "«{name}»: код маркировки не годится. {reason}",
        "«{name}»: таңбалау коды жарамсыз. {reason}"),
    "marking_unverified": Text(
        "“{name}”: the marking code is not whole, so it cannot be verified. {reason}",
        "«{name}»: код маркировки неполный, проверить его не получится. {reason}",
        "«{name}»: таңбалау коды толық емес, тексеру мүмкін емес. {reason}"),
    "marking_not_goods": Text(
        "“{name}” has a marking code, but its payment object is {subject}, which is no goods. Correct the object.",
        "У «{name}» есть код маркировки, но предмет расчёта {subject} — не товар. Исправьте предмет.",
        "«{name}» таңбалау коды бар, бірақ {subject} есеп айырысу заты тауар емес. Затты түзетіңіз."),
    "marking_missing": Text(
        "“{name}” is sold as marked goods ({subject}), but has no marking code. Scan it, or choose object {right}.",
        "«{name}» продаётся как маркированный товар ({subject}), но кода нет. Отсканируйте код или выберите предмет "
        "{right}.",
        "«{name}» таңбаланған тауар ретінде ({subject}) сатылады, бірақ коды жоқ. Сканерлеңіз немесе {right} затын "
        "таңдаңыз."),
    "marking_unexpected": Text(
        "“{name}” is sold as marked goods without a code ({subject}), but has one. Choose object {right}.",
        "«{name}» продаётся как маркированный товар без кода ({subject}), но код есть. Выберите предмет {right}.",
        "«{name}» кодсыз таңбаланған тауар ({subject}) ретінде сатылады, бірақ коды бар. {right} затын таңдаңыз."),
    "marking_plain_subject": Text(
        "“{name}” has a marking code; in FFD 1.2 its payment object is {right}, not {subject}. Correct the object.",
        "У «{name}» есть код маркировки; в ФФД 1.2 её предмет расчёта {right}, а не {subject}. Исправьте предмет.",
        "«{name}» таңбалау коды бар; ФФД 1.2-де оның заты {subject} емес, {right}. Затты түзетіңіз."),
    "marking_prepaid": Text(
        "“{name}”: a prepayment's receipt goes without the marking code; the code goes with the goods. Remove it.",
        "«{name}»: в чеке предоплаты код маркировки не нужен, он идёт с передачей товара. Уберите его.",
        "«{name}»: алдын ала төлем чегінде таңбалау коды керек емес, ол тауармен бірге беріледі. Алып тастаңыз."),
    "fraction_wrong": Text(
        "“{name}”: a part of a package is like 1/2, less than a whole; here it is {fraction}. Correct it.",
        "«{name}»: часть упаковки — это как 1/2, меньше целой; здесь {fraction}. Исправьте.",
        "«{name}»: қаптама бөлігі 1/2 сияқты, бүтіннен кіші болады; мұнда {fraction}. Түзетіңіз."),
    "fraction_without_marking": Text(
        "“{name}”: only marked goods are sold in parts of a package. Add the code, or state a fractional quantity.",
        "«{name}»: частями упаковки продают только маркированный товар. Добавьте код или укажите дробное количество.",
        "«{name}»: қаптама бөлігімен тек таңбаланған тауар сатылады. Кодын қосыңыз немесе бөлшек сан көрсетіңіз."),
    "fraction_measure": Text(
        "“{name}”: a part of a package is counted in pieces, so its measure is 0. Correct the measure.",
        "«{name}»: часть упаковки считают в штуках, мера должна быть 0. Исправьте меру.",
        "«{name}»: қаптама бөлігі данамен есептеледі, өлшемі 0 болуы керек. Өлшемді түзетіңіз."),
    "fraction_needs_ffd12": Text(
        "“{name}”: parts of a package exist only in FFD 1.2, the register works by {ffd}. Use a register with 1.2.",
        "«{name}»: части упаковки есть только в ФФД 1.2, касса работает по {ffd}. Нужна касса с 1.2.",
        "«{name}»: қаптама бөліктері тек ФФД 1.2-де бар, касса {ffd} бойынша істейді. 1.2 кассасы керек."),
    "fraction_unknown": Text(
        "“{name}”: receipts of Kazakhstan know no parts of a package ({fraction}). Sell the whole package.",
        "«{name}»: чеки Казахстана не знают частей упаковки ({fraction}). Продайте упаковку целиком.",
        "«{name}»: Қазақстан чектерінде қаптама бөліктері ({fraction}) жоқ. Қаптаманы толық сатыңыз."),
    "planned_status_kind": Text(
        "“{name}”: the planned status {status} does not go with this kind of receipt: a sale has 1 or 2, a return 3 or "
        "4. Correct it, or leave it out.",
        "«{name}»: планируемый статус {status} не подходит к этому чеку: у продажи 1 или 2, у возврата 3 или 4. "
        "Исправьте или не указывайте.",
        "«{name}»: жоспарланған {status} мәртебесі бұл чекке сай емес: сатуда 1 не 2, қайтаруда 3 не 4. Түзетіңіз "
        "немесе көрсетпеңіз."),
    "planned_status_measure": Text(
        "“{name}”: the planned status {status} does not go with the measure: pieces have 1 or 3, measured goods "
        "and parts "
        "2 or 4. Correct it, or leave it out.",
        "«{name}»: планируемый статус {status} не подходит к мере: у штук 1 или 3, у мерного товара и частей 2 или 4. "
        "Исправьте или не указывайте.",
        "«{name}»: жоспарланған {status} мәртебесі өлшемге сай емес: данада 1 не 3, өлшемді тауар мен бөліктерде 2 не "
        "4. Түзетіңіз немесе көрсетпеңіз."),
    "planned_status_alone": Text(
        "“{name}” has a planned status but no marking code; it will not be printed. Add the code or remove the status.",
        "У «{name}» есть планируемый статус, но нет кода маркировки; он не попадёт в чек. Добавьте код или уберите "
        "статус.",
        "«{name}» жоспарланған мәртебесі бар, таңбалау коды жоқ; ол чекке түспейді. Код қосыңыз немесе мәртебені алып "
        "тастаңыз."),
    # -- corrections -------------------------------------------------------------------------------------------------
    "correction_kind": Text(
        "In FFD 1.05 a correction is of a sale or a purchase only. Undo a wrong receipt by a return, then sell anew.",
        "В ФФД 1.05 коррекция бывает только прихода или расхода. Ошибочный чек отмените возвратом и пробейте заново.",
        "ФФД 1.05-те түзету тек кіріске не шығысқа жасалады. Қате чекті қайтарумен жойып, қайта беріңіз."),
    "correction_future": Text(
        "The settlement to be corrected is dated {day}, and today is {today}. Correct the date.",
        "Дата исправляемого расчёта {day}, а сегодня {today}. Исправьте дату.",
        "Түзетілетін есептесудің күні {day}, ал бүгін {today}. Күнін түзетіңіз."),
    "correction_number_missing": Text(
        "A correction by order of the tax office needs the order's number (tag 1179). Enter it.",
        "Для коррекции по предписанию нужен номер предписания (тег 1179). Укажите его.",
        "Нұсқама бойынша түзетуге нұсқама нөмірі (1179 тегі) керек. Көрсетіңіз."),
    "correction_number_unasked": Text(
        "A correction by own decision has no order's number, but “{number}” is given. Remove it, or choose “by order”.",
        "У коррекции по своему решению нет номера предписания, а указан «{number}». Уберите его или выберите «по "
        "предписанию».",
        "Өз шешімімен жасалған түзетуде нұсқама нөмірі болмайды, ал «{number}» көрсетілген. Алып тастаңыз немесе "
        "«нұсқама бойынша» таңдаңыз."),
    "correction_description": Text(
        "FFD {ffd} has no description of a correction (tag 1177); it will not be printed. Remove it.",
        "В ФФД {ffd} нет описания коррекции (тег 1177), в чек оно не попадёт. Уберите его.",
        "ФФД {ffd} форматында түзету сипаттамасы (1177 тегі) жоқ, ол чекке түспейді. Алып тастаңыз."),
    "correction_sign_wrong": Text(
        "The fiscal sign of the wrong receipt is a number up to 4294967295, not “{sign}”. Copy it from the receipt "
        "(FP).",
        "Фискальный признак ошибочного чека — число до 4294967295, а не «{sign}». Перепишите его с чека (ФП).",
        "Қате чектің фискалдық белгісі — «{sign}» емес, 4294967295-ке дейінгі сан. Чектен көшіріңіз (ФП)."),
    "correction_property_taken": Text(
        "In a correction tag 1192 holds the wrong receipt's fiscal sign; “{value}” has no room there. Remove it.",
        "В коррекции тег 1192 занят фискальным признаком ошибочного чека, «{value}» туда не помещается. Уберите его.",
        "Түзетуде 1192 тегінде қате чектің фискалдық белгісі тұрады, «{value}» сыймайды. Алып тастаңыз."),
    "correction_unknown": Text(
        "There are no correction receipts in Kazakhstan. Return the wrong receipt and print the right one.",
        "В Казахстане нет чеков коррекции. Оформите возврат ошибочного чека и пробейте верный.",
        "Қазақстанда түзету чегі жоқ. Қате чекті қайтарып, дұрысын беріңіз."),
    # -- Kazakhstan --------------------------------------------------------------------------------------------------
    "payment_form_unknown": Text(
        "There is no form of payment “{form}” in Kazakhstan: only cash, card or mobile, and credit. Correct the "
        "payment.",
        "В Казахстане нет формы оплаты «{form}»: есть наличные, карта или мобильная, кредит. Исправьте оплату.",
        "Қазақстанда «{form}» төлем түрі жоқ: қолма-қол, карта немесе мобильді, несие бар. Төлемді түзетіңіз."),
    "credit_old_protocol": Text(
        "Registers of the newer protocol (2.0.2 on) have no credit. If it is refused, choose another form.",
        "У касс с протоколом 2.0.2 и новее нет кредита. Если касса откажет, выберите другую форму оплаты.",
        "2.0.2 және одан жаңа хаттамалы кассаларда несие жоқ. Касса қабылдамаса, басқа төлем түрін таңдаңыз."),
    "measure_unknown": Text(
        "“{name}”: Kazakhstan's list of units has no measure {measure}; it will be printed as a piece. Choose another.",
        "«{name}»: меры {measure} нет в справочнике единиц Казахстана, будет «штука». Выберите другую.",
        "«{name}»: Қазақстанның өлшем анықтамалығында {measure} жоқ, «дана» деп басылады. Басқасын таңдаңыз."),
    "buyer_is_seller": Text(
        "The buyer's tax number {inn} is the seller's own. Correct or remove it.",
        "ИИН (БИН) покупателя {inn} совпадает с номером продавца. Исправьте или уберите.",
        "Сатып алушының ЖСН/БСН {inn} сатушының өз нөмірі. Түзетіңіз немесе алып тастаңыз."),
    # -- cash in and out ---------------------------------------------------------------------------------------------
    "cash_move_zero": Text(
        "Cash in or out needs a sum above zero. Enter it.",
        "Для внесения или выплаты нужна сумма больше нуля. Укажите её.",
        "Қолма-қол салуға не алуға нөлден артық сома керек. Көрсетіңіз."),
    "cash_move_over": Text(
        "{amount} cannot be taken out: the drawer holds {drawer}. Reduce the sum.",
        "Нельзя выплатить {amount}: в кассе {drawer}. Уменьшите сумму.",
        "{amount} алуға болмайды: кассада {drawer}. Соманы азайтыңыз."),
    # -- a receipt against a register's registration -----------------------------------------------------------------
    "fit_country": Text(
        "“{title}” does not fiscalise for {asked}. Use a register of that country.",
        "«{title}» не фискализирует для {asked}. Нужна касса этой страны.",
        "«{title}» {asked} үшін фискалдамайды. Сол елдің кассасы керек."),
    "fit_inn": Text(
        "“{title}” is registered for INN {has}, the receipt is of {asked}. Use the organisation's own register.",
        "«{title}» зарегистрирована на ИНН {has}, а чек от {asked}. Нужна касса этой организации.",
        "«{title}» {has} СТН-ге тіркелген, ал чек {asked} атынан. Осы ұйымның кассасы керек."),
    "fit_tax_system": Text(
        "“{title}” is registered for other tax systems than {asked}. Choose one of its own, or register it anew.",
        "«{title}» зарегистрирована на другие системы налогообложения, не {asked}. Выберите из её систем или "
        "перерегистрируйте.",
        "«{title}» {asked} емес, басқа салық жүйелеріне тіркелген. Өз жүйелерінен таңдаңыз немесе қайта тіркеңіз."),
    "fit_ffd": Text(
        "“{title}” works by FFD {has}, the receipt needs {asked}. Use a register with the newer format.",
        "«{title}» работает по ФФД {has}, а чеку нужен {asked}. Нужна касса с новым форматом.",
        "«{title}» ФФД {has} бойынша істейді, ал чекке {asked} керек. Жаңа форматты касса керек."),
    "fit_internet": Text(
        "“{title}” is registered for settlements on the Internet only. Use another register for this receipt.",
        "«{title}» зарегистрирована только для расчётов в интернете. Для этого чека нужна другая касса.",
        "«{title}» тек интернеттегі есептесулерге тіркелген. Бұл чекке басқа касса керек."),
    "fit_place": Text(
        "“{title}” is registered at “{has}”, the receipt is for “{asked}”. Use the register of that place.",
        "«{title}» зарегистрирована по месту «{has}», а чек для «{asked}». Нужна касса того места.",
        "«{title}» «{has}» орнына тіркелген, ал чек «{asked}» үшін. Сол орынның кассасы керек."),
    "fit_marking": Text(
        "“{title}” is not registered for marked goods, and the receipt has marking codes. Use one that is.",
        "«{title}» не зарегистрирована для маркированных товаров, а в чеке есть коды. Нужна другая касса.",
        "«{title}» таңбаланған тауарларға тіркелмеген, ал чекте кодтар бар. Басқа касса керек."),
    "fit_agent": Text(
        "“{title}” is not registered for the agent's sign {asked} that the receipt has. Register it anew, or use "
        "another.",
        "«{title}» не зарегистрирована с признаком агента {asked}, который есть в чеке. Перерегистрируйте или возьмите "
        "другую.",
        "«{title}» чектегі {asked} агент белгісімен тіркелмеген. Қайта тіркеңіз немесе басқасын алыңыз."),
    "fit_electronic": Text(
        "“{title}” prints every receipt on paper, and this one is to be electronic only. Use another register.",
        "«{title}» печатает каждый чек на бумаге, а этот должен быть только электронным. Нужна другая касса.",
        "«{title}» әр чекті қағазға басады, ал бұл тек электронды болуы керек. Басқа касса керек."),
}

__all__ = ["RULE_SENTENCES"]
