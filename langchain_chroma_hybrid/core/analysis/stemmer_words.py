"""Words by Snowball language that set its rules to work: what comes of them tells stemmers apart.

One or more for each of the most frequent changes that an algorithm makes to a vocabulary of its
language, and some whose stems differ between PyStemmer 2.2, 3.0 and 3.1.
"""

from __future__ import annotations

STEMMER_WORDS = {
    "arabic": """إستعمال اتصالنا الأسفل الإيسلندية البحرين الحزمة الروبل السفلى العبرية الفرعيّة
        الفقرات الكولون النقطي الولايات اليابان بالنقش برنسبي بريطانية بصفحة بعّد بكسر بوربوينت
        بيمبا تعذّر تمامًا تملأ توكيلو جانبين جزئي جونستون جيبوتي حساساً حوّل خبيئة دوقيّة زاوغيات
        ستراقب سلبيّا سلوك صاموا عالمية عليها فريدا فشيل كايمان كوريا لادن للترجمة للخيارات
        للقطع لمحة مخصصّ مشغول مضغوطه منتقى نهائية نهايته وحدات وسيطة ويتصرف ينشئ يوليو""",
    "armenian": """աթոռներից ահավոր աղավնուն աղետների ամառները ամիսներն անվանել անօրեն ասելիս
        ասիացի ավեի արձանում բախումից բացեք բերել բուծումն գլխոտանի գործեց դանիա դեկան եղեգից
        երիզներով զորակոչի էրգատիվ ընկնում իջեցմամբ իջեցմանը իրեն լողափերը լողափերի խոսվում
        կազմեին կաղինը հազարի համոզիչ հանգեցին հաստատ հիշատակի ճոպաններ միջակ մողեսներ նվագելով
        շարվել շիկահեր շինված որոշներին չորրորդ պաշարը պաշտոնով ռամական ռեվյու սինովիալ ստորինի
        վաճառեց վերացվեց տաճիկ տեղադրվի փակումը փեթակը փորձարար քավելու քլորիդը""",
    "basque": """adarraren ahuntz aleazio amaituta amarekin aritzeko arteetan artista atearen
        aulki balute bataiatu behatzen behinka berekin berotu bilketa bueltan egoeraz ekuazioa
        elurra erpina erritua ezkata garaiena garaikoa gauzarik gogorren golko haietako
        hitzezko hormaz irteten jazotako joanez joatea kausa kideko klasean laguntza landu
        latinera latino litro mantuko motzak neurtuz odolaren osatuak osatutako otoitzak
        pabiloi persiar sabela sagarra soilik testuen tipikoak urterako zezenak zinemari
        zutabeek""",
    "catalan": """abocador agitat aleví anotació avalen baptista binding buscaren caldera
        cambrers casament cicles cimbris codó comentar creatina debutà delictiu denotada
        desembre direcció dirigint donaria empenyia esquimal flexible frente incisius jacobita
        judaisme lela luxós magolla migrants mocadors morien nombrosa oppida pater poblades
        precisos produeix provava puixant quantes robats sedent semblés sentits sorgit tasses
        tecno tenir tiraven torrents tracti ullet valor vestuari visuals xinesa ziggurat""",
    "czech": """akce areály bance berus bučin chodbách cílovém dluhů domovině dámských dávkami
        grafikou koberec konečném kterému lanovou ledových ležícím lidovými membránu močového
        muselo másla nácvik nárožích němčinu obavě obnažené oběšením odborným odpadem okrajový
        otcovým palácová pilotům plavec požírá prvními právnímu relaxaci různými sankcí setrvat
        směnný stádech stáži surově svíček teoriemi trénovat ulicích uštknutí vidinou vrahovi
        vteřiny vyššího vzorové zkouškám zmrzlina řídicího štětcem žádného""",
    "danish": """afkommet arvelige belønner berekjas berygtet bulderet bækken cederens dalenes
        digtere dommer faldende flammen fortrudt gemmes grundig grønligt haner hævelser højlig
        hørelse hørelsen kigger knækket ladheds ledigt liflige lovens lydighed lysets måtte
        mættes omgikkes oplægge optugter pigerne piller pletten redeligt rydder sbille skamme
        skændes spække stirre stribet svaghed tallet tappe tidernes tillagde tilstøde tingene
        træffer udfaren umådelig vandløb vurderes vægteren vækker væseners øvrige""",
    "dutch": """aandelen aanzette alsemde anlagen arbiters baaien bedorven benen biezen bladen
        doktoren eetbaar flammen gebeurde geborgen gelukte gerild gesust gevat geëigende hoeft
        hölle inwendig jaren kennen klokjes koelheid komen kropen kwalen leentje lijfje
        loslaten meewegen omgeven omgingen ontweken oxidatie paisley polissen prestige raken
        releases scheef snijdend socioloog spurtten stappen stoffen sturen teertjes totale
        treuring venster vlokken voedden vuilere weggen wollen zenderen zorgende zweden""",
    "dutch_porter": """aanloop aansloot aanvraag aanzette adellijke ademende allegaar alsemde
        arbiters baars bedorven beherend beloof betaling bewegelijk bioloog café endogene
        fletse gebaat gebood gehoor gerild idees iedereen inwendig laad loos losmaak maas
        nederige noodweer ontbeet openbaar openbare openheid openingen openings openlijk
        opkweek opvoedde opwekking oudheden overigen partiële pistool plaats raadzaam scheef
        smaal spurtten streed syndroom tafereel telefoon udmurtië verstaan vlokken voedden
        zeeën zuur zweem""",
    "english": """accadent adorable agitation amicably amorously animated animates animating
        artfully avowedly begrimed binding brougham buoyancy butting copying cudgell desirous
        despite devotion elegance elopement eternity evasions evidence exudations eying fogles
        foragers genitive geologist gyved initials interfered internal interval intervals
        ironical knotted literally mellows offing operate organized palliser panelled pasted
        plutonic privy repayment resonant reversal serenely skillful skis snapped spirally
        tartness universal wailings wepping wooingly""",
    "esperanto": """aktivado aktuális bed betegség cigány cin densaj economía esetén esszék
        está flari forró grupos générale géptan happen hatások horvát inkludis kenyér kezelése
        kutatás kutatása kémiája kérdése legendák leányok librejoj ligája millón moderní musées
        napfény neniaj nevelés nyomában ország partján povintus publiée pune randevú riĉiĝas
        romanan tanár tiujn traité tubforma técnica verkadon vespojn veux virága vivajn vízben
        zsidók állatok édition éthique írásban ĉirkau""",
    "estonian": """aadlikke aegsetes asustama avatakse enamikku esemete esinenud halvemad
        hoidmaks hooldus huvidega jooksjad jääajal keeldu kiireid koduleht kogumike kuivab
        kuluvat kuuluda laevadel laiusega lammas linte malevas metsade nõudmine olevalt omaette
        ooperiks ordust osatud palkasid poistele põnevaid ratastel ridadest saamata saartest
        sakslasi selgitus sihtkoha soovin suhetega sügaval taibata tapame tarbetu tegevate
        tegudele testides tollast tootvad tseesium uhkelt uuritava vahast vähegi ärevus õhtust
        õitsele ühisesse""",
    "finnish": """ahkerana aholasta aidassa aineella ainoalle aiottiin ajamat ajetuksi ajopeli
        alapää alavassa alempiin allahin alueelle anjan antavien apea arlen asemesta asentoon
        astelee audilla bidee buchan buddhan burmaan butchin darnell edeltävä ehdoissa ehtojen
        ekstraa elpymään elpyneen ensosta episodit erna etätyötä fatahin filmissä ghalille
        gourmet gstrein haikeina haluista halulla halunut hanskoja hanttu harvalla helmsin
        henkevän hornetia huhuiksi huhuta huolisi hylkeet häipyvät häkeistä hännätön härkiä
        höykytti""",
    "french": """abondance adorable agitation battrai brougham cachette cailloux carrière
        chapeaux chassés choux curieuse descente discrets discutée durement dureront embarras
        espère exposant fabuleux feci fixèrent gaëlique grandie grisé gâterait jamais jouerais
        leviers liât maladies manqua mauvais milanaise niais noircis opulence oreilles pensants
        pensez placerez quelle refusiez remirent retentir revienne ruminait sablées savantes
        scier soixante solidité souffrit sujettes tasses touchera tâcherai vaniteuse venaient
        éditions élection""",
    "german": """abhängen abzuwenden alters anhören anmutiger anmutiges anregend anrühren
        arabische bediene bedrängt bedrückt belud besamende bessere bestem betört busens
        büchlein damalige dietegen erkennst erledigen erregung erregungen errettet ewigkeit
        ewiglich faltete fernsten gekleidet glaubte goldenen gotts hendeln herrührt höchlich
        inwendig ironisch juvenes kamet lehrerin nämliche politik realität rohesten ruhigste
        rötlichen seltener sitzest solches töteten unendliche unseren warteten weiteres
        werteste wilderer wohler wünschen zentnern zufüge""",
    "greek": """ίσα αββαείο αθλήματα ακμάσει αλλάζει αλώσει αμπελιού αραβικών ασκείται ασκούσε
        ατομικού ατροπίνη βαδίζουν βλαστικά γενναίου γυρισμό διανύσει διορίσει δοσμένο δωματίων
        ελκύουν ελώδη εξωθήσει ηττηθούν θηλυκού ιερότητα ιζημάτων καμένη καρφί κοιτούν κοντρα
        κυβισμού κυδωνιών κυκλικοί κυρώθηκε λαβών λεχθεί μετράει μιλήσουν μισούσαν μυημένοι οδο
        παπιγιόν πλυμένα ποία ποιμένων πυκνώνει σεβόταν σεναρίου σλαβικό συλήθηκε συντομία
        συστηθεί σφραγίδα τι τονίζει τυριά υπακούει υπογείων υφαντή φτερωτό χωριστά""",
    "hindi": """अधिरचना आर्टस् आस्थाओं इकाइयां इरक्वॉइ उबालते ऊंचाइयों एफटीआईआई एमएमए एसआरओ कहलाईं
        खेलेंगी गंवाए गाथाएं घटनाएं घुसने घूमती चरनी चराते चरिउ चलिए छठवाँ जटिलताएं जमे त्रिकोणी
        दर्शाया दवाइयाँ देवताओं फ़ूको फैसलों बतलाने बथुआ बनतीं बनाएगा बसीं बांई बिगड़ता बिरजू
        बेटियाँ भाषओं मनोरोगी मरोड़कर मिलाती मिलेगा मृत्युओं मेहनताना रचनाओं राऊ रायलसीमा राशियां
        रेखायें लगाओ लगेंगे लगेगी लिंकेज वालि शादियों सजाकर सिनाई सुस्वादु सोलहवां होजाता""",
    "hungarian": """adnának adásával agyagot agyában akadémia akaratuk akartam aktívan alkosson
        aluliak alulról amerre analóg arányára bajba bankokat belseje betette betétei beírnunk
        bunkók bután bárgyún bútorok bűvölet jövünk kedvűen keltének kezdenem kijárjuk kikötői
        kinyitom kislányé kizárja korúnál kárát kéklik kénsavat képezzük készeket késésben
        kétesnek kíntól kívánták kívülről kölyköm könnyek kötélből kötésére követték latinból
        letétbe lipicai listáját lutrit lépését magyarra megadása mozognak mászott műfajhoz
        odúban""",
    "indonesian": """anakannya bebaskan beradanya beraikan berduaan berlibur bisakah dawainya
        diakuinya diamati dibukalah diisinya diisukan dirayah ginesium ilmunya isiannya itulah
        jiwamu kebasaan keduanya kekhanan kemauannya mahupun medianya melaikan melambai meletus
        membedakan memberinya mempelai mempunyi menaikan menekan mengakui menghela mengodekan
        menguatnya meniduri menuanya pelembut peluasan pemalang pembalut pembelian pendana
        penemunya pengaitan pengode penipuan peragaan perahunya perkara petaninya seyrigi
        talian teracuni teriakan tertuanya terwujud untukku""",
    "irish": """acaíocht agimeacht atasóirí beirimid bhaoithe bheacha bheidís bhfalach bhrúnna
        bhuthail bháchais bhíothar bpump canfaidh chacadar chartann cheáfar chléirí chlúnach
        chogaint choilíní dhamnódh dhiúil dlífidh dtiarach dámbeadh fhiúchas fhonn fháidh
        fílíocht gcairíní gháirigh lorgfadh mbeirinn mhacánta mharfóir mhiniodh méaraibh
        móideach múintear ndreasóg ollamh phláin phléamar photaire regain rómásach sheamair
        shéalaí shílfinn shíneas shíníos spailp tagtar teannáil thagtha thosófaí thuataí
        théacht tséideán ógaíochta údaracht""",
    "italian": """adattate adorazione aiutante aiutarla amaranti artefici astenuta attinte
        avvenire battigia bruciare burlato collegio curviamo dirtela divano ecceduto eletrica
        esaltare esigenza faceva frugar giravano gratuita gravità gremite hammed iniquità
        laconico lanciate liliano mangiato monache negativo penarono pensasse pensò picchi
        profano provava puramente quesiti rapatè rapito rimossi rivelata sapendo scenderà
        scorrono scuderie sfilati sorgere sportiva sposarlo tagliati teramo trovando vagliata
        venerdì vivevano volersi voltarsi""",
    "lithuanian": """aikštėse amonitai apgynus apvaliu atakuoti azerų būtybių drąsiai dvejomis
        ekologų etapui gabenama grybuose guočių ištrinti išvykusi ių javais kabojo kamerose
        kapeloje kinei kirtis kiveriai komforto kreiserį krūsnys lageriai legalūs lyginami
        mentėmis metinį miškams molines mėtant nešamos padengia paiškėjo platiną plotmėje
        pradės raiškios raketė riteriai sekdamas sobore suteiktu sutrikęs tapyti teigti tikrovę
        tinkamas tirta tokiais uždarius vaiskio valdybos vieši vitražas vėžliams švęsdavo
        žygyje""",
    "nepali": """उखेल्यो उठ्नेहरु उत्रनु उत्रिएका कलाकारका कलाकारको खन्दैथिए खसाल्छन् खानुहुनेछ
        खानुहोस् खिँचाउथे खोसिएको गर्नुभयो गैंडामा घटाउदा घुम्थिन् चढाउछे चम्कनेछु चम्केको चराउछु
        चित्रले चिप्लिस् जन्मिदा झुल्केकै डाक्टर डुल्छ्यौ डुल्ने दिनुपर्यो दौडनेछन् धुदै धुदैथ्यो निस्किदो
        पकाउथ्यौ पढिन्छ पढ्छौ पढ्थिइस् पढ्थ्यो पम्पलाई पल्टियो पाउदी पाउदो पुग्छ फर्कलान् फर्किएकी बन्नेछिन्
        बुन्थिस् भुल्छिन् भोकाउनेछ महिलाहरू रच्यौ रिसाउथी रुदैछन् रुदैथिन् रुदैथियो रुदैहुनेछ लिनुपर्छ
        लिनुहुन्छ लिनेछेस् सताउछेस् सल्काछस् सारेका हुर्केछौ""",
    "norwegian": """aksjelov aksjelovens anvendes arveloven bevegelsene boligen boliger
        burettslov daterast desember dødelighet effekten endeleg endelege ergrelse etatene
        fastlege fremmede fristane følelser førende grundig grunnlova gråtes hòla kjøpslova
        korthet ledelsen likheter lovens lòden medeigar muligheter mørkets notatet nydelig
        rentelova roligheten rådighet råkar samtlige sikte ters tidenes tilbudte todagers
        tomheten troskaps tydelige unntas usakleg utleiga utleige utlåna utredes vakkert vanlig
        vestfold vêra vêrane vòkande øvrige""",
    "persian": """آسانترین آسریان آسیاست آموزگار اسکویت اورئوس اوردن اولئیک ایلخانان باباش
        بازگردیم باوئر باگواس برئا برچیده بنزوئیل بهدینان بولوار بیچام تفرجگاه تولید تیفوئید
        جامانده حمدانیان دولة دیاکیته دیدگی رابیدها زیرده ساردوئیه سودلانه سیتروئن عمارات
        عکسهایی فائز فائون فارسي فرازای قوئی لینستر مائین ماهیانی مولهایم نارمند ناگائو نخواند
        نهائی نینجاها هائه هایاته هبریدهای هیستامین واخان پایایی پوئل کارباید کالیبان کلاین
        کورگان گرامرهای گورناک یوئن""",
    "polish": """akustyki basenem boroń chajsach chcemy chodziły czytania dwaj długich geniuszy
        grudniu główna kobido krótkim kupili liderowi lśniące maskować matury migawek mogący
        niego nocnych olechów orłoś plamy pocztę podpalił powrocie procesje przeżyją pustej
        siedząc spodku spotkały strzałem suskiego sędzią telegram trafiają uczciwie udawało
        używając wasze widział większa wodnym wronami wywiadom wzrosnąć zamkiem zarzucał
        zastali zbierała zgodziła ziemiach zobaczyć zrobimy zrzucić zwróciło zwykłymi żarskiej""",
    "porter": """abilities accadent adorable agitation akilling amicably amorously animated
        animates animating begrimed binding brougham buoyancy butting cloying cudgell defrayed
        delivered desirous despite devotion elegance eligible elopement eternity evasions
        evidence exudations focative fogles foragers genitive gyved having idealism idleness
        initials ironical knotted literally mellows memorize operate opulency orville palliser
        panelled plutonic prey preys repayment resonant reversal serenely siliceous skillful
        snapped spirally tartness wailings wepping""",
    "portuguese": """adota aidético ascética aturdido barris bidê bolsas bompreço burlando
        cavada chegaria chocado comentar comitiva comparam conheça coube declara deixavam
        dejanir editados educação eróticas eróticos espancá falidas faturava fazendo ficasse
        fiscais fumantes fuseau imitável inovações integrou jogadas lembram maridos melodias
        morrem movida nasceram negativo ocupante operador operamos otimismo otimista pari
        passará pegajoso perder poesia polígono precisos reagiu romeu sorrindo usarei utilidade
        viriam véspera""",
    "romanian": """aberații aboleşte abolite adaugare ajutate alteţă amorul amuzau anunță avuţi
        bălțați catodice catolică cefalic cultelor cusătură cârpesc demina eolitica etajată
        eterogen evadez evocator excepţii expandat firile golănia gălăţeană gărilor hamesit
        hâtrie imitaţie incubata indolenţă irigabil locaş lucrarea lărgiți murdării mândreţe
        mîntuire navigant onorează pesimism piraţi polemici pune remuşcări reprimăm risipi
        rotație sediile spaniei spargere tipăriţi trezește tămâieze vechea zarului însorită
        ţigani țipetele""",
    "russian": """бодрился болтает больные ванилью ваших ведаю всунуть второе выпуклою выходили
        гадают глупых деловым держится динамит доверчив допустим дымилась евгению занялась
        звонок зловещие именами лавкам ласкала машей обнялись опоздали погоде подувая позвонил
        потеплее потребую поучался прибежал припасен просимой прося пугаться ругается рябого
        саксонии свечными серий скажите скорбя сличить сложный сознать страшно стращай схватила
        сынков терпения толкучем указки факелом химеры хрипят чуду шагах широка""",
    "serbian": """advokat akcijama citirale citirali citiralo citiran crkavaju dinstani
        emitovan galamiš generalu glamurom godila grešnih hladnije hranjeni hvaljene iniciram
        instancu iscrtano iskočih jasniji javnošću laganoga mantile mirisni mramorne naduvana
        naduven nagađalo namernim nazirati ocenjena saborac sadržati saniraju sanjivog takmičim
        testirao toplota ubeđujem udubivši ugostili učenijih učeniju važnijim venčamo venčaše
        veteran vezujući večeraj vrednija vrhovnoj činjeno čitanjem čitavo šatorima šetajući
        šetate šokirala žalost željen""",
    "sesotho": """badisa baruti batho buela fumana ithuta kgosi lapeng lebitso leboha lebohang
        lebohile letsatsi mabitso marena matsatsi melato moithuti mollo morena ngotse qetetse
        rutang sebetsa sebetsana sekolong setulo toropong tsamaile utlwa""",
    "spanish": """acabaría adelante afectad afinidad alegara alineacion anotarse aplicada
        aplicará asesino asimismo asumirá avalan avalaron burlando buscarlo butler chocado
        comentar comitiva contaba convoqué coronacion debería defendió depuracion desbordó
        despedía devoción ebanista editados educacion eminencia enreden ffcc hablarán haremos
        hayamos herido hubiera imitación londres maridos matarla movida negaban negativo
        ocurrir operador pagarle pedían pidiendo pobladas precisos pureza realice resolucion
        rumberas salidas sulaimán vinieron vivirse""",
    "swedish": """alstern andlöst berörda beundrad bönernas börjas dygdige fingrade finnarna
        födelsen geväret gällt husliga härledde härmande hårig infinna ivrigare jaget kalaser
        karlarne korthet krusades lidandet ligheten ljufvast läxorna långlig löftets löjlighet
        menighet mognare murbruket myeket nedrigt närmaste ombytte parets rabatten rasens
        retlige rikligen råckor råkar samtalets sikte sliskiga slutligt styrktes sångerna
        troenden tyckles tänkaren uppsagd uppvikta utsikter varann varelse vänligare älskat
        ängarnas åtrådda""",
    "tamil": """அக்கும் அடயால் அன்டோரா அழைக்க ஆவணங்கள் ஆவணத்தை இடத்தில் இதற்கு ஈரானிய எருவா ஐலாண்ட் கடாங்
        கன்யா கராபோரோ கலந்த கலிங்கா காம்பா கியோகோ குமாம் குமைய் கோன்டா கோயலிப் கோல்ச் க்ரிசா சுமாவ் டிபோலீ
        டோன்டோ ட்ரோனிங் தாய்னயே நம்பகமான நீக்கும் பட்டையாக பணிகளின் பணியின் பணியில் பபரில் பலத் பாம்வே பாலாவி
        பால்டிக் பிடியோ பெனின் பொருத்த மர்மா மீளல் முரணாக மூடுதலை மோஜி யாக்னோபி ரத்து ரோம்போ லங்கு லுஸாய்
        லென்கா லைன்ஷான் லோன்க்கு வகையை வரிகள் வரிசைகளை வரையவும் வரையுக வளரும்""",
    "turkish": """alım alının asılan atlarına aşkere balesi barakada beden betasını bitarafa
        demirten edilmeyi ekinin ekiplere ellerini etinkaya faizinde hiçte ifade iftinin
        ihbarını illerde inşaatla ithalata kaçmayı kollarda kopardı korların kralları milliye
        nurdan olacağı olmamam onalara proposed puanlama radyum saglasin sepetine sevkleri
        sularını sustalı sözümona sıkarken taksitle taştan tebliği yakın yaraşır yarısına
        yasanın yetıştı yöresine yöresini yığını zeminini çukuru ötekiler ýbahim şartlar
        şaşkına şiilerin""",
    "yiddish": """אוריען בריהשדיק ברענעניש גוססדיקן גלעטנדיק גע געבליטן געבעבעט געהעלטער
        געחושטס געלכל געלײקנט געסודעטן גערײצטע גרונטן דערװעגט הילכיקס הימלדיקס העמדעלעך
        העשענדיק הױטיקער הױלנדיקע זעלביקע חזנישע חיסור חײלות טישטעכער טײלן יצחקס כרעמזלעך
        ליסטיקן לצעװעסט מוזנדיקס מיסטישער משכדיקער נודענדיקס נעגערס נײטנדיקער סוחרטע סוחרישעס
        סטינקע סענסועלע צישענדיקן צעדערבױם צעך צענדליק צעריבנס צערקװעס צעשטערטס קעבודל קעכלעסטו
        קעמענדיקע קרײטער קײטלען רושמדיקע רינענדיקער רױבנדיקן רױמישן שלושים שװיץ װילדעװעט װען""",
}
